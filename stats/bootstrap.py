"""Seeded cluster bootstrap, for corpus metrics that are no mean and no ratio of sums (CIDEr, BLEU)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from stats.arrays import Labels, check_level, cluster_codes, join_notes
from stats.intervals import t_critical
from stats.results import NO_VARIATION, Estimate

Data: TypeAlias = npt.NDArray[Any]


def bootstrap_estimate(
    statistic: Callable[..., float],
    data: Data | tuple[Data, ...],
    clusters: Labels | None = None,
    *,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """`statistic(data)` with an interval from resampling whole clusters.

    data:      an array indexed by item (first axis n), or a tuple of such arrays, then statistic(*arrays).
               Items with NaN in a float array are left out. For two models on the same items give both
               models' arrays and let the statistic return the difference: pairs stay together.
    statistic: a number from the same arrays restricted to a resample (a resample in which it is NaN is left
               out of the interval, and the note says how many were).
    seed:      the same seed gives the same result.

    The standard error is that of the resamples times sqrt(G / (G - 1)), and the percentiles are widened
    to the t distribution with G - 1 degrees of freedom, since plain percentiles are too narrow for few
    clusters (expanded percentile interval: Hesterberg, The American Statistician 69, 2015). Design
    effect, ICC and effective n are not estimated (NaN).
    """
    check_level(level)
    if resamples < 100:
        raise ValueError(f"resamples={resamples} cannot place the ends of an interval: take 1000 or more")
    arrays = tuple(np.asarray(x) for x in (data if isinstance(data, tuple) else (data,)))
    keep = _complete(arrays)
    arrays = tuple(array[keep] for array in arrays)
    codes, n_clusters, missing = cluster_codes(clusters, keep)
    n = len(codes)
    value = float(statistic(*arrays)) if n else math.nan
    se = low = high = math.nan
    df, method = math.nan, "cluster bootstrap" if clusters is not None else "bootstrap"
    if n == 0:
        note = "undefined: no scored item"
    elif math.isnan(value):
        note = "undefined: the statistic is NaN on these items"
    elif n_clusters < 2:
        only = "there is one item only" if n == 1 else "all items are in one cluster"
        note = f"its standard error and interval are undefined: {only}"
    else:
        draws = _replicates(statistic, arrays, codes, n_clusters, seed=seed, resamples=resamples)
        defined = draws[~np.isnan(draws)]
        lost = resamples - len(defined)
        note = f"{lost} of {resamples} resamples had no defined value and were left out" if lost else ""
        df = n_clusters - 1.0
        widen = math.sqrt(n_clusters / df)
        method += f" ({resamples} resamples of {n_clusters} {'clusters' if clusters is not None else 'items'})"
        method += "; percentile interval widened to t"
        if len(defined) > resamples / 2:
            se = float(defined.std(ddof=1)) * widen
            tail = float(ndtr(-widen * t_critical(level, df)))
            low, high = (float(x) for x in np.quantile(defined, (tail, 1 - tail)))
            if low == high:
                low = high = math.nan
                note = join_notes(note, NO_VARIATION)
        else:
            note += ": too many for an interval"
    return Estimate(
        value=value,
        se=se,
        ci_low=low,
        ci_high=high,
        df=df,
        n=n,
        n_clusters=n_clusters,
        design_effect=math.nan,
        icc=math.nan,
        effective_n=math.nan,
        method=method,
        note=join_notes(note, missing),
    )


def _complete(arrays: tuple[Data, ...]) -> npt.NDArray[np.bool_]:
    """True for the items (first axis) that have no NaN in any float array, shape (n,)."""
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1:
        raise ValueError(f"all arrays must have one entry per item, but their lengths are {sorted(lengths)}")
    keep = np.ones(lengths.pop(), dtype=np.bool_)
    for array in arrays:
        if np.issubdtype(array.dtype, np.floating):
            keep &= ~np.isnan(array).any(axis=tuple(range(1, array.ndim)))
    return keep


def _replicates(
    statistic: Callable[..., float],
    arrays: tuple[Data, ...],
    codes: npt.NDArray[np.intp],
    n_clusters: int,
    *,
    seed: int,
    resamples: int,
) -> npt.NDArray[np.float64]:
    """The statistic on each resample of whole clusters, shape (resamples,)."""
    rng = np.random.default_rng(seed)
    by_cluster = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes, minlength=n_clusters)
    starts = np.cumsum(sizes) - sizes
    values = np.empty(resamples)
    for r in range(resamples):
        drawn = rng.integers(0, n_clusters, n_clusters)
        length = sizes[drawn]
        # Positions of the drawn clusters' items, one cluster after the other, without a loop over clusters.
        first = np.repeat(starts[drawn] - (np.cumsum(length) - length), length)
        items = by_cluster[first + np.arange(len(first))]
        values[r] = statistic(*(array[items] for array in arrays))
    return values
