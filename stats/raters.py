"""How far two or more raters agree beyond chance: Cohen's kappa, the confusion matrix, Krippendorff's alpha."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from stats.arrays import Labels, Vector, scored, vector
from stats.bootstrap import bootstrap_estimate
from stats.estimates import mean_estimate
from stats.results import Estimate

Measure: TypeAlias = Literal["nominal", "ordinal", "interval"]
# More different verdicts than this are no table to read.
_MOST_VALUES = 12


@dataclass(frozen=True, slots=True)
class Agreement:
    """A judge against humans on the same items.

    kappa:     Cohen's: agreement beyond what the two raters' frequencies give by chance; 0 is chance, 1 is perfect.
    agreement: share of items with the same verdict.
    weighted:  whether kappa counts how far apart two verdicts are (quadratic weights): verdicts on a scale.
    correlation: Spearman's, of verdicts on a scale; NaN for two values.
    values, confusion: the verdicts, and human (rows) by judge (columns) counts; empty for more than 12 values.
    n, n_clusters: items with both verdicts.
    """

    kappa: Estimate
    agreement: Estimate
    correlation: Estimate
    weighted: bool
    values: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]
    n: int
    n_clusters: int


def agreement(
    judge: npt.ArrayLike,
    human: npt.ArrayLike,
    clusters: Labels | None = None,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> Agreement:
    """Agreement of two raters with intervals from a cluster bootstrap.

    judge, human: (n,) verdicts in one unit; items with NaN in either are left out. clusters: as in `mean_estimate`.
    Kappa is Cohen's (1960), with quadratic weights (Cohen 1968) where more than two different verdicts were given.
    It is NaN where one rater never varies in the same way as the other: then chance alone explains everything.
    Where the two never differ no resample does either: kappa's interval is then made from Wilson's of the share of
    equal verdicts, chance as it was; on a scale it is unknown, since nobody saw how far apart they can be.
    """
    a, b = vector(judge, "judge"), vector(human, "human")
    both = scored(judge=a, human=b)
    values = np.unique(np.concatenate([a[both], b[both]]))
    weighted = len(values) > 2

    def kappa(x: Vector, y: Vector) -> float:
        return cohen_kappa(x, y, weighted=weighted)

    data = (np.where(both, a, np.nan), np.where(both, b, np.nan))
    found = bootstrap_estimate(kappa, data, clusters, seed=seed, resamples=resamples, level=level)
    rank = bootstrap_estimate(spearman, data, clusters, seed=seed, resamples=resamples, level=level)
    same = mean_estimate(np.where(both, a == b, np.nan), clusters, level=level)
    if found.value == 1 and not weighted:
        low = max(-1.0, 1 - (1 - same.ci_low) / _chance_difference(a[both], b[both]))
        note = "the two never differ: the interval is that of the share of equal verdicts"
        found = replace(found, ci_low=low, ci_high=1.0, method=same.method, note=note)
    table = _confusion(a[both], b[both], values) if len(values) <= _MOST_VALUES else ()
    return Agreement(
        kappa=found,
        agreement=same,
        correlation=rank,
        weighted=weighted,
        values=tuple(float(v) for v in values) if table else (),
        confusion=table,
        n=found.n,
        n_clusters=found.n_clusters,
    )


def cohen_kappa(a: Vector, b: Vector, *, weighted: bool = False) -> float:
    """Cohen's kappa of two raters, (n,) each without NaN; `weighted`: by the squared distance of the verdicts."""
    if not len(a):
        return math.nan
    if weighted:
        # Quadratic weights in closed form: 1 - mean((a - b)^2) / mean over all pairs of (a_i - b_j)^2.
        observed = float(((a - b) ** 2).mean())
        expected = float((a**2).mean() + (b**2).mean() - 2 * a.mean() * b.mean())
    else:
        observed = float((a != b).mean())
        expected = _chance_difference(a, b)
    return 1 - observed / expected if expected > 1e-12 else math.nan


def _chance_difference(a: Vector, b: Vector) -> float:
    """How often the two would differ if only the frequencies of their verdicts counted."""
    return 1 - sum(float((a == v).mean() * (b == v).mean()) for v in np.unique(np.concatenate([a, b])))


def panel_alpha(
    ratings: npt.ArrayLike,
    clusters: Labels | None = None,
    *,
    measure: Measure = "interval",
    seed: int = 0,
    resamples: int = 500,
    level: float = 0.95,
) -> Estimate:
    """Krippendorff's alpha of several raters, by the package `krippendorff`, with a cluster bootstrap interval.

    ratings: (n, J), one row an item and one column a rater; NaN where a rater said nothing. 0 is chance, 1 is perfect.
    measure: how distances between ratings count. An item with fewer than two ratings tells nothing.
    """
    from krippendorff import alpha

    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(f"ratings has one row an item and a column for each of two or more raters, not {table.shape}")
    rows = np.flatnonzero((~np.isnan(table)).sum(axis=1) >= 2)
    labels = None if clusters is None else [list(clusters)[i] for i in rows]

    def value(chosen: npt.NDArray[np.intp]) -> float:
        part = table[chosen]
        if len(np.unique(part[~np.isnan(part)])) < 2:
            return math.nan  # undefined where nothing varies
        return float(alpha(reliability_data=part.T, level_of_measurement=measure))

    return bootstrap_estimate(value, rows, labels, seed=seed, resamples=resamples, level=level)


def rank_correlation(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: Labels | None = None,
    *,
    given: npt.ArrayLike | None = None,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """Spearman's rank correlation with a cluster bootstrap interval; items with NaN in any are left out.

    given: (n,) what is held fixed: within each of its values where it has few (up to 12), else what is left of the
        ranks after a line through its ranks. So the judge's scores against the answers' lengths, given the human
        verdict, is a length bias and not the merit of longer answers.
    """
    columns = {"a": vector(a, "a"), "b": vector(b, "b")}
    if given is not None:
        columns["given"] = vector(given, "given")
    keep = scored(**columns)
    data = tuple(np.where(keep, column, np.nan) for column in columns.values())
    return bootstrap_estimate(spearman, data, clusters, seed=seed, resamples=resamples, level=level)


def spearman(a: Vector, b: Vector, given: Vector | None = None) -> float:
    """Spearman's correlation of two (n,) without NaN, partial where something is given; NaN where one does not vary."""
    if len(a) < 3:
        return math.nan
    x, y = _ranks(a), _ranks(b)
    if given is not None:
        x, y = _without(x, given), _without(y, given)
    x, y = x - x.mean(), y - y.mean()
    size = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / size if size > 1e-9 * len(a) else math.nan


def _ranks(values: Vector) -> Vector:
    """Ranks from 1, ties at their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Vector = (ends - (counts - 1) / 2)[inverse]
    return ranks


def _without(ranks: Vector, given: Vector) -> Vector:
    """What is left of ranks when `given` is held fixed."""
    values, group = np.unique(given, return_inverse=True)
    if len(values) <= _MOST_VALUES:
        means = np.bincount(group, ranks) / np.bincount(group)
        left: Vector = ranks - means[group]
        return left
    z = _ranks(given)
    z = z - z.mean()
    centred: Vector = ranks - ranks.mean()
    rest: Vector = centred - z * (float(z @ centred) / float(z @ z))
    return rest


def _confusion(judge: Vector, human: Vector, values: Vector) -> tuple[tuple[int, ...], ...]:
    table = np.zeros((len(values), len(values)), dtype=int)
    np.add.at(table, (np.searchsorted(values, human), np.searchsorted(values, judge)), 1)
    return tuple(tuple(int(count) for count in row) for row in table)
