"""Metrics of a whole corpus that are a function of sums over items, and no mean or ratio of them: BLEU, chrF, macro F1.

Each item brings sufficient statistics (n-gram counts), so that a resample's value takes a sum and no text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stats.arrays import Codes, Labels, Vector, check_level, encode
from stats.bootstrap import bootstrap_estimate
from stats.paired import difference_of
from stats.results import Estimate, PairedDifference

# (P,) sums over items -> the metric; NaN where it is undefined.
Statistic: TypeAlias = Callable[[Sequence[float]], float]
_STEP = 1e-4  # of a sum, for the slope of the statistic there


def corpus_estimate(
    parts: npt.ArrayLike,
    statistic: Statistic,
    clusters: Labels | None = None,
    *,
    strata: Labels | None = None,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """`statistic` of the column sums of `parts`, with the interval of `bootstrap_estimate`.

    parts:  (n, P) an item's sufficient statistics; a row with NaN is unscored and left out.
    strata: (n,) labels; then it is the plain mean over strata of the statistic in each. A resample without an
            item of some stratum has no value and is left out, which the note says.
    clusters, seed, resamples, level: as in `bootstrap_estimate`.
    """
    rows, codes, count = _table(parts, strata)
    found = bootstrap_estimate(
        _over_strata(statistic, count), (rows, codes), clusters, seed=seed, resamples=resamples, level=level
    )
    return replace(found, method=f"{_what(strata, count)}; {found.method}")


def paired_corpus_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    statistic: Statistic,
    clusters: Labels | None = None,
    *,
    strata: Labels | None = None,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
    margin: float | None = None,
) -> PairedDifference:
    """The statistic of a minus that of b on the same items: every resample takes the same clusters of both.

    a, b: (n, P) as in `corpus_estimate`; items with NaN in either are left out. Interval and tests are t with
    G - 1 degrees of freedom around the bootstrap's standard error, so that they agree with each other. Higher is
    better: where lower is, exchange a and b before asking for a margin.
    """
    check_level(level)
    left, codes, count = _table(a, strata)
    right, _, _ = _table(b, strata)
    if left.shape != right.shape:
        raise ValueError(f"a and b must hold the same statistics of the same items, not {left.shape} and {right.shape}")
    lost = np.isnan(left + right).any(axis=1)
    left[lost], right[lost] = np.nan, np.nan
    labels = clusters if clusters is None or isinstance(clusters, np.ndarray) else list(clusters)
    value_of = _over_strata(statistic, count)

    def resampled(of: Callable[..., float], data: tuple[npt.NDArray[Any], ...]) -> Estimate:
        # One seed for all three: the same clusters are drawn for each side and for the difference.
        return bootstrap_estimate(of, data, labels, seed=seed, resamples=resamples, level=level)

    diff = resampled(lambda x, y, k: value_of(x, k) - value_of(y, k), (left, right, codes))
    one, other = (resampled(value_of, (side, codes)) for side in (left, right))
    return difference_of(
        diff, one.se, other.se, level=level, margin=margin,
        method=f"paired difference of {_what(strata, count)}s; standard error by {diff.method.split(';')[0]}; "
        f"t test with {diff.df:.4g} degrees of freedom",
    )  # fmt: skip


def pseudo_values(parts: npt.ArrayLike, statistic: Statistic, strata: Labels | None = None) -> Vector:
    """(n,) numbers whose mean (with strata: in each stratum) is the statistic, and whose spread is its spread.

    The infinitesimal jackknife: statistic(S) + gradient(S) . (n x_i - S), S the sums. Where many of these metrics
    are put beside each other (a band over checkpoints, an average over tasks) they stand for the items' scores, to
    first order. NaN for an unscored item, and for all where the statistic is undefined. The slope is a central
    difference; a sum of 0 has none.
    """
    rows, codes, count = _table(parts, strata)
    values = np.full(len(rows), np.nan)
    known = ~np.isnan(rows).any(axis=1)
    for stratum in range(count):
        here = known & (codes == stratum)
        if here.any():
            values[here] = _linear(rows[here], statistic)
    return values


def _linear(rows: Vector, statistic: Statistic) -> Vector:
    sums = rows.sum(axis=0)
    gradient = np.zeros(len(sums))
    for j, total in enumerate(sums):
        if total:
            up, down = sums.copy(), sums.copy()
            up[j], down[j] = total * (1 + _STEP), total * (1 - _STEP)
            gradient[j] = (statistic(up) - statistic(down)) / (2 * _STEP * total)
    found: Vector = statistic(sums) + (len(rows) * rows - sums) @ gradient
    return found


def _table(parts: npt.ArrayLike, strata: Labels | None) -> tuple[Vector, Codes, int]:
    rows = np.array(parts, dtype=np.float64)  # a copy
    if rows.ndim != 2:
        raise ValueError(f"the statistics of a corpus are one row an item, shape (n, P), not {rows.shape}")
    if strata is None:
        return rows, np.zeros(len(rows), dtype=np.intp), 1
    codes, names = encode(strata, len(rows), "strata")
    return rows, codes, len(names)


def _over_strata(statistic: Statistic, count: int) -> Callable[[Vector, Codes], float]:
    def value(rows: Vector, codes: Codes) -> float:
        if count == 1:
            return float(statistic(rows.sum(axis=0)))
        parts = [rows[codes == stratum] for stratum in range(count)]
        if not all(map(len, parts)):
            return math.nan
        return float(np.mean([statistic(part.sum(axis=0)) for part in parts]))

    return value


def _what(strata: Labels | None, count: int) -> str:
    return "corpus statistic" if strata is None else f"macro average over {count} strata of a corpus statistic"
