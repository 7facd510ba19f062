"""A learning curve: paired differences of checkpoints to a baseline, with a band that holds for all at once."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from stats.arrays import Labels, check_level, cluster_codes, join_notes
from stats.paired import compare
from stats.results import PairedDifference
from stats.series import Scores, few_clusters, series_of
from stats.wild import Sums, critical_value, group_clusters, p_value, random_signs, sums_of, t_draws


@dataclass(frozen=True, slots=True)
class BandPoint:
    """One checkpoint minus the baseline. What is undefined is NaN, with the reason in `note`.

    mean_diff, se, ci_low, ci_high, p_value, n, n_clusters: those of `paired_difference`, for this one alone.
    band_low, band_high: the simultaneous band here.
    p_adjusted:          family-wise over all checkpoints, from the same bootstrap as the band: at most
                         1 - level where the band excludes 0.
    """

    checkpoint: Hashable
    mean_diff: float
    se: float
    ci_low: float
    ci_high: float
    band_low: float
    band_high: float
    p_value: float
    p_adjusted: float
    n: int
    n_clusters: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class SimultaneousBand:
    """All checkpoints minus the baseline, in the order they were given (without the baseline).

    critical: half the band's width in standard errors, for the checkpoint with the widest; NaN without a band.
    significant: checkpoints whose difference survives the correction for having looked at all.
    """

    baseline: Hashable
    level: float
    critical: float
    points: tuple[BandPoint, ...]
    n_clusters: int
    method: str
    note: str = ""

    @property
    def significant(self) -> tuple[Hashable, ...]:
        return tuple(point.checkpoint for point in self.points if point.p_adjusted <= 1 - self.level)


def simultaneous_band(
    scores_by_checkpoint: Scores,
    clusters: Labels | None = None,
    *,
    seed: int,
    level: float = 0.95,
    baseline: Hashable | None = None,
    denominators: Scores | None = None,
    strata: Labels | None = None,
    weights: Mapping[Hashable, float] | None = None,
    resamples: int = 4000,
) -> SimultaneousBand:
    """Differences to the baseline with a band that contains all true ones with probability `level`.

    scores_by_checkpoint: name -> (n,) scores of the same items, in the order of training; NaN is unscored.
    clusters: (n,) labels as in `mean_estimate`. baseline: one of the names; None: the first checkpoint.
    denominators: name -> (n,): differences of ratios of sums; strata, weights: of averages over strata, all
    as in `paired_ratio_difference`. Each difference uses the items that both sides have scores for.

    The band is mean_diff ± c * se with CR2 standard errors and c the `level` quantile of the largest |t| over
    the checkpoints in a wild cluster bootstrap (`stats.wild`), never below the t quantile of one alone. Over 20
    checkpoints its family-wise error came to 3.6-6.6 % (± 0.8) with 8 to 300 clusters, equal and unequal, where
    Gaussian multipliers came to 5.5-55 %. The same seed gives the same band; more than 2000 clusters are merged
    at random into 2000 to draw it.
    Raises ValueError for fewer than two checkpoints, an unknown baseline, arrays of different length.
    """
    check_level(level)
    rng = np.random.default_rng(seed)
    series = series_of(scores_by_checkpoint, denominators, strata, weights)
    base = series.names[0] if baseline is None else baseline
    if base not in series.tops:
        raise ValueError(f"baseline {base!r} is none of the checkpoints: {', '.join(map(str, series.names))}")
    others = [name for name in series.names if name != base]
    scored_by_any = series.scored(base) & np.logical_or.reduce([series.scored(name) for name in others])
    codes, n_clusters, missing = cluster_codes(clusters, scored_by_any)
    grouped, groups = group_clusters(codes, n_clusters, rng)
    differences: dict[Hashable, PairedDifference] = {}
    sums: dict[Hashable, Sums] = {}
    fixed: dict[Hashable, PairedDifference] = {}
    within_one = series.within_one()
    for name in others:
        keep = series.scored(name, base)
        place = keep[scored_by_any]
        this, that = series.linear(name, keep), series.linear(base, keep)
        everyone = np.ones(int(keep.sum()), dtype=np.bool_)
        difference = partial(compare, "paired difference", this, that, everyone, codes[place], within_one=within_one)
        differences[name] = difference(level=level)
        if differences[name].se == 0:  # nothing to draw
            fixed[name] = difference(level=1 - (1 - level) / len(others))
        found = sums_of(this.minus(that), grouped[place], groups)
        if found is not None and differences[name].se > 0:
            sums[name] = found
    signs = random_signs(groups, resamples, rng)
    largest = np.abs(t_draws(signs, list(sums.values()))).max(axis=1) if sums else np.zeros(resamples)
    criticals = {name: critical_value(largest, level, differences[name].df) for name in sums}
    points = tuple(
        _point(name, d, fixed.get(name), criticals.get(name, math.nan), p_value(largest, abs(d.t)), len(others))
        for name, d in differences.items()
    )
    finite = [c for c in criticals.values() if math.isfinite(c)]
    return SimultaneousBand(
        baseline=base,
        level=level,
        critical=max(finite, default=math.nan),
        points=points,
        n_clusters=n_clusters,
        method=f"paired differences to {base}; max-t band over {len(sums)} checkpoints by wild cluster bootstrap "
        f"({resamples} resamples of {n_clusters} {'items' if clusters is None else 'clusters'})",
        note=join_notes(few_clusters(n_clusters), missing),
    )


def _point(
    name: Hashable, d: PairedDifference, fixed: PairedDifference | None, critical: float, p_largest: float, tests: int
) -> BandPoint:
    """fixed: of a difference without variation, with its interval corrected by Bonferroni as its p is here."""
    note, low, high = d.note, math.nan, math.nan
    if fixed is not None:
        low, high, p_adjusted = fixed.ci_low, fixed.ci_high, min(1.0, tests * d.p_value)
    elif math.isnan(d.se):
        p_adjusted = math.nan
    else:
        p_adjusted = max(d.p_value, p_largest)
        if math.isfinite(critical):
            low, high = d.mean_diff - critical * d.se, d.mean_diff + critical * d.se
        else:
            note = join_notes(note, "no band: its width has no bound with so few clusters")
    return BandPoint(
        checkpoint=name,
        mean_diff=d.mean_diff,
        se=d.se,
        ci_low=d.ci_low,
        ci_high=d.ci_high,
        band_low=low,
        band_high=high,
        p_value=d.p_value,
        p_adjusted=p_adjusted,
        n=d.n,
        n_clusters=d.n_clusters,
        note=note,
    )
