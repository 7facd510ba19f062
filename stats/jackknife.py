"""Delete-a-group jackknife, for a statistic that is computed elsewhere and that a resample would break.

A bootstrap draws an item twice; a function that collects its items by id then counts it once, or refuses. Here each
computation leaves items out and repeats none. Kott, Journal of Official Statistics 17, 2001.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stats.arrays import Labels, check_level, cluster_codes
from stats.intervals import t_critical
from stats.paired import difference_of
from stats.results import NO_VARIATION, Estimate, PairedDifference

FEWEST = 10  # replicates that an interval is made from


def jackknife_groups(n: int, clusters: Labels | None = None, *, groups: int = 100, seed: int = 0) -> list[list[int]]:
    """Positions of the items to leave out each time: whole clusters, dealt at random into at most `groups` groups."""
    codes, number, _ = cluster_codes(clusters, np.ones(n, dtype=np.bool_))
    dealt = np.random.default_rng(seed).permutation(number) % min(groups, max(number, 1))
    of = dealt[codes] if n else codes
    order = np.argsort(of, kind="stable")
    return [part.tolist() for part in np.split(order, np.cumsum(np.bincount(of))[:-1])] if n else []


def jackknife_estimate(
    value: float, replicates: Sequence[float], groups: int, *, n: int, n_clusters: int, level: float = 0.95
) -> Estimate:
    """The statistic with its interval by t(replicates - 1).

    value: of all items; replicates: without each group, NaN where undefined. There may be fewer than `groups` where
    computing took too long: groups are random, so the spread of some is that of all.
    """
    check_level(level)
    se, df, note = _spread(np.asarray(replicates, dtype=np.float64), groups)
    known = not math.isnan(value)
    half = t_critical(level, df) * se if known and df > 0 and se > 0 else math.nan
    return Estimate(
        value=value,
        se=se if known else math.nan,
        ci_low=value - half,
        ci_high=value + half,
        df=df,
        n=n,
        n_clusters=n_clusters,
        design_effect=math.nan,
        icc=math.nan,
        effective_n=math.nan,
        method=f"jackknife over {groups} groups of clusters with t({df:g})" if df > 0 else "no interval",
        note=note if known else "undefined: the aggregation gave no number",
    )


def jackknife_difference(
    values: tuple[float, float],
    replicates: tuple[Sequence[float], Sequence[float]],
    groups: int,
    *,
    n: int,
    n_clusters: int,
    level: float = 0.95,
    margin: float | None = None,
) -> PairedDifference:
    """First minus second on the same items, the same groups left out of both. See `jackknife_estimate`."""
    pairs = min(len(side) for side in replicates)
    a, b = (np.asarray(side[:pairs], dtype=np.float64) for side in replicates)
    found = jackknife_estimate(values[0] - values[1], list(a - b), groups, n=n, n_clusters=n_clusters, level=level)
    se_a, se_b = (_spread(side, groups)[0] for side in (a, b))
    return difference_of(found, se_a, se_b, level=level, margin=margin, method=found.method)


def _spread(replicates: npt.NDArray[np.float64], groups: int) -> tuple[float, float, str]:
    """Standard error, degrees of freedom, and what is to be known of them."""
    defined = replicates[~np.isnan(replicates)]
    if len(defined) < min(FEWEST, groups) or groups < 2 or len(defined) < 2:
        return math.nan, math.nan, f"its interval is unknown: {len(defined)} of {groups} replicates could be computed"
    if len(defined) < len(replicates):
        lost = len(replicates) - len(defined)
        return math.nan, math.nan, f"its interval is unknown: without some items there is no value ({lost} of {groups})"
    # (K - 1) / K times the sum of squares over all K groups; of those that are there, their variance stands for it.
    variance = (groups - 1) ** 2 / groups * float(defined.var(ddof=1))
    return math.sqrt(variance), len(defined) - 1.0, NO_VARIATION if variance == 0 else ""
