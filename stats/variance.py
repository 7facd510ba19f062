"""Where the variance of scores comes from: clusters, items, and the answers to one item."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stats.arrays import Codes, Labels, Vector, cluster_codes, join_notes


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Estimates for the plan of an evaluation. Unknown is NaN; unbiased ones may come out negative.

    omega2:       variance over items of the true score, or of the true difference with a baseline. NaN where
                  one answer an item was sampled: it cannot be told from noise then (see `total`).
    var_a, var_b: mean variance within an item of one answer's score, of the model and the baseline; NaN where
                  it gave one answer an item, var_b also without a baseline.
    k_a, k_b:     mean scored answers an item (harmonic), k_b is 1 without a baseline.
    total:        omega2 + var_a / k_a + var_b / k_b: variance of the observed item scores (differences).
    icc:          correlation inside clusters of the true scores (differences), without the noise; of the
                  observed ones where omega2 is NaN. NaN without clusters of two or more items.
    cluster_size, cluster_size_cv: mean items a cluster, and the coefficient of variation (population) of it.
    n, n_clusters: items used and their clusters.
    """

    omega2: float
    var_a: float
    var_b: float
    k_a: float
    k_b: float
    total: float
    icc: float
    cluster_size: float
    cluster_size_cv: float
    n: int
    n_clusters: int
    note: str = ""

    def planning(self) -> dict[str, Any]:
        """Keyword arguments of `sample_size` and `minimum_detectable_effect`: numbers in their ranges.

        Where omega2 is unknown it is `total`, noise included, and more samples an item promise nothing. A
        negative omega2 counts as 0, an ICC that is unknown (no clusters) or impossible for these clusters as
        0. Raises ValueError where not even `total` is known.
        """
        if math.isnan(self.total):
            raise ValueError(f"nothing to plan with: {self.note}")
        known = not math.isnan(self.omega2)
        reach = (self.cluster_size_cv**2 + 1) * self.cluster_size - 1
        icc = 0.0 if math.isnan(self.icc) else min(1.0, self.icc)
        return {
            "omega2": max(0.0, self.omega2) if known else self.total,
            "var_a": self.var_a if known else 0.0,
            "var_b": self.var_b if known and not math.isnan(self.var_b) else 0.0,
            "k_a": max(1, round(self.k_a)),
            "k_b": max(1, round(self.k_b)),
            "icc": icc if 1 + reach * icc >= 0 else 0.0,
            "cluster_size": self.cluster_size,
            "cluster_size_cv": self.cluster_size_cv,
        }


def variance_components(
    scores: npt.ArrayLike, clusters: Labels | None = None, *, baseline: npt.ArrayLike | None = None
) -> VarianceComponents:
    """omega2, the variance within items and the ICC, from stored scores.

    scores:   (n,) or (n, K): K sampled answers an item; NaN is unscored.
    baseline: the other model's, (n,) or (n, K'): omega2 is then that of the difference, which a paired
              comparison is planned with. Without it omega2 is that of this model's scores.
    clusters: (n,) labels as in `mean_estimate`.

    One-way analysis of variance of the item means (differences) s_i: with mean squares MSB between and MSW
    within clusters and m the cluster size corrected for unequal sizes, the clusters' component is
    (MSB - MSW) / m; omega2 = that + MSW - mean(v_i / K_i), v_i the unbiased variance within item i; and
    ICC = component / omega2 (Donner 1986, International Statistical Review 54; Miller 2024, arXiv 2411.00640).
    Without clusters omega2 = var(s) - mean(v_i / K_i). Raises ValueError for other shapes or infinite scores.
    """
    sides = {"scores": samples(scores, "scores")}
    if baseline is not None:
        sides["baseline"] = samples(baseline, "baseline")
    lengths = {name: len(side) for name, side in sides.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"one row per item in each is needed, but the numbers of items are {lengths}")
    counts = {name: (~np.isnan(side)).sum(axis=1) for name, side in sides.items()}
    keep: npt.NDArray[np.bool_] = np.logical_and.reduce([count > 0 for count in counts.values()])
    codes, n_clusters, missing = cluster_codes(clusters, keep)
    parts = [_within(side[keep], counts[name][keep]) for name, side in sides.items()]
    value = parts[0].means - parts[1].means if len(parts) > 1 else parts[0].means
    noise = sum(part.noise for part in parts)
    component, residual = _anova(value, codes, n_clusters)
    total = component + residual
    omega2 = total - noise
    of_what = total if math.isnan(omega2) else omega2
    sizes = np.bincount(codes, minlength=n_clusters)
    unsampled = [name for name, part in zip(sides, parts, strict=True) if math.isnan(part.noise)]
    return VarianceComponents(
        omega2=omega2,
        var_a=parts[0].variance,
        var_b=parts[1].variance if len(parts) > 1 else math.nan,
        k_a=parts[0].k,
        k_b=parts[1].k if len(parts) > 1 else 1.0,
        total=total,
        icc=component / of_what if len(value) > n_clusters and of_what > 0 else math.nan,
        cluster_size=float(sizes.mean()) if n_clusters else math.nan,
        cluster_size_cv=float(sizes.std() / sizes.mean()) if n_clusters else math.nan,
        n=len(value),
        n_clusters=n_clusters,
        note=join_notes(
            _too_little(len(value), n_clusters),
            f"one answer an item in {' and '.join(unsampled)}: true variance and noise cannot be told apart"
            if unsampled and len(value)
            else "",
            "omega2 is negative: noise within items explains all variation" if omega2 < 0 else "",
            missing,
        ),
    )


def samples(values: npt.ArrayLike, name: str) -> Vector:
    """`values` as floats, shape (n, K), from (n,) or (n, K); None and NaN mean unscored."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"{name} must have one row per item and one column per sample, not shape {array.shape}")
    if np.isinf(array).any():
        raise ValueError(f"{name} holds infinite values: mark an unscored answer with NaN instead")
    return array


@dataclass(frozen=True, slots=True)
class _Within:
    """means: (n,) item means; variance: mean v_i; noise: mean v_i / K_i; k: harmonic mean of K_i."""

    means: Vector
    variance: float
    noise: float
    k: float


def _within(side: Vector, count: Codes) -> _Within:
    if not len(side):
        return _Within(np.zeros(0), math.nan, math.nan, math.nan)
    variance = item_variances(side)
    several = count > 1
    known = bool(several.any())
    mean = float(variance[several].mean()) if known else math.nan
    # An item with one scored answer has the noise of one, of the size that the others show.
    noise = float((np.where(several, variance, mean) / count).mean()) if known else math.nan
    return _Within(item_means(side), mean, noise, float(1 / (1 / count).mean()))


def item_means(values: Vector) -> Vector:
    """(n,) mean over the scored samples of each item; NaN where none is."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0).sum(axis=1)
    means: Vector = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return means


def item_variances(values: Vector) -> Vector:
    """(n,) unbiased variance over the scored samples of each item; NaN with fewer than two."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    # Equal samples have a variance of 0 and not of their mean's rounding.
    first = np.take_along_axis(values, known.argmax(axis=1)[:, None], axis=1)
    deviation = np.where(known, values - first, 0)
    squares = (deviation**2).sum(axis=1) - deviation.sum(axis=1) ** 2 / np.maximum(count, 1)
    variances: Vector = np.divide(squares, count - 1, out=np.full(len(values), np.nan), where=count > 1)
    return np.maximum(variances, 0)


def _anova(values: Vector, codes: Codes, n_clusters: int) -> tuple[float, float]:
    """The clusters' component of the variance and the rest, unbiased; (0, variance) without clusters."""
    n = len(values)
    if n_clusters < 2:
        return math.nan, math.nan
    if n == n_clusters:
        return 0.0, float(values.var(ddof=1))
    sizes = np.bincount(codes, minlength=n_clusters)
    centred = values - values.mean()
    sums = np.bincount(codes, centred, n_clusters)
    between = float((sums**2 / sizes).sum())
    within = float((centred - (sums / sizes)[codes]) @ (centred - (sums / sizes)[codes])) / (n - n_clusters)
    size = (n - float(sizes @ sizes) / n) / (n_clusters - 1)
    return (between / (n_clusters - 1) - within) / size, within


def _too_little(n: int, n_clusters: int) -> str:
    if n == 0:
        return "undefined: no item is scored"
    if n_clusters < 2:
        return "undefined: there is one item only" if n == 1 else "undefined: all items are in one cluster"
    return ""
