"""The core: every estimate as a sum of influence values, and the variance of that sum.

An estimate (mean, ratio of sums, macro average, difference of two of them) is linearised to
``estimate - truth ~ sum of influence values over items``; items are summed inside their cluster, and
the clusters are independent. Without clusters each item is its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stats.arrays import Codes, Vector
from stats.strata import Strata, one_stratum

# A sum that is this small relative to its terms is rounding error: equal scores then have a
# variance of exactly 0 rather than 1e-34, which would make a t statistic of 1e16 out of nothing.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Linear:
    """An estimate and its first-order expansion over n items.

    influence: (n,) what each item adds to the error of `value`; sums to 0.
    share:     (n,) each item's share of its stratum's denominator; sums to 1 in a stratum.
    magnitude: (n,) size of the terms that `influence` is the difference of, to recognise rounding.
    problem:   why `value` is NaN, or "".
    """

    value: float
    influence: Vector
    share: Vector
    magnitude: Vector
    strata: Strata
    problem: str = ""

    def minus(self, other: Linear) -> Linear:
        """The difference of two estimates over the same items and strata."""
        magnitude = self.magnitude + other.magnitude
        value = self.value - other.value
        return Linear(
            value=0.0 if abs(value) <= _ROUNDING * (abs(self.value) + abs(other.value)) else value,
            influence=_without_rounding(self.influence - other.influence, magnitude),
            share=(self.share + other.share) / 2,
            magnitude=magnitude,
            strata=self.strata,
            problem=self.problem or other.problem,
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard error and degrees of freedom, or NaN and the reason."""

    se: float
    df: float
    problem: str = ""


def linearise(numerator: Vector, denominator: Vector | None = None, strata: Strata | None = None) -> Linear:
    """Sum over strata h of weight_h * ratio_h, ratio_h = sum(numerator in h) / sum(denominator in h).

    numerator, denominator: (n,), without NaN. Without a denominator the ratio is the mean, without strata
    there is one. The influence of item i in stratum h is
    weight_h * (numerator_i - ratio_h * denominator_i) / sum(denominator in h)
    (Cochran, Sampling Techniques, 3rd ed., section 6.3).
    """
    n = len(numerator)
    if n == 0:
        nothing = np.zeros(0)
        return Linear(np.nan, nothing, nothing, nothing, strata or one_stratum(0), "no scored item")
    denominator = np.ones(n) if denominator is None else denominator
    strata = one_stratum(n) if strata is None else strata
    if (denominator < 0).any():
        raise ValueError("a ratio of sums needs denominators of 0 or more: exchange the sign of both parts")
    bottom = strata.sums(denominator)
    if (bottom == 0).any():
        empty = [str(name) for name, total in zip(strata.names, bottom, strict=True) if total == 0]
        problem = f"nothing to divide by in {', '.join(empty)}"
        return Linear(np.nan, np.zeros(n), np.zeros(n), np.zeros(n), strata, problem)
    ratio = strata.sums(numerator) / bottom
    scale = (strata.weights / bottom)[strata.codes]
    expected = ratio[strata.codes] * denominator
    magnitude = scale * (np.abs(numerator) + np.abs(expected))
    return Linear(
        value=float(strata.weights @ ratio),
        influence=_without_rounding(scale * (numerator - expected), magnitude),
        share=denominator / bottom[strata.codes],
        magnitude=magnitude,
        strata=strata,
    )


def cluster_sums(linear: Linear, cluster: Codes, n_clusters: int) -> Vector:
    """Influence summed inside each cluster, shape (n_clusters,)."""
    sums = np.bincount(cluster, linear.influence, n_clusters).astype(np.float64)
    return _without_rounding(sums, np.bincount(cluster, linear.magnitude, n_clusters).astype(np.float64))


def cr1(linear: Linear, cluster: Codes, n_clusters: int) -> Spread:
    """The usual cluster-robust standard error with t(G-1): G/(G-1) * sum of squared cluster sums.

    Too small with few or unequal clusters; here for comparison with other software and with `cr2`.
    """
    if n_clusters < 2:
        return _no_clusters(len(cluster))
    sums = cluster_sums(linear, cluster, n_clusters)
    return Spread(float(np.sqrt(n_clusters / (n_clusters - 1) * (sums @ sums))), n_clusters - 1.0)


def cr2(linear: Linear, cluster: Codes, n_clusters: int) -> Spread:
    """Bias-reduced standard error (CR2) with Bell-McCaffrey degrees of freedom, in closed form.

    Each squared cluster sum is divided by 1 - h, h the cluster's leverage; the degrees of freedom are
    Satterthwaite's, tr(B)^2 / tr(B^2), B the covariance of the scaled cluster sums under independent
    items (Bell and McCaffrey, Survey Methodology 28, 2002). For a mean, h is the cluster's share of the
    items and B is diagonal minus rank one: all of it costs O(n), and no matrix is formed. With clusters
    of equal size this is CR1 with t(G-1) exactly, with one item each the textbook sd / sqrt(n) with
    t(n-1), with clusters nested in strata the textbook stratified variance with Welch's degrees of
    freedom; so no rule is needed for when to use which. Over strata that share clusters the leverages
    are averaged by what each stratum adds to the variance.
    """
    if n_clusters < 2:
        return _no_clusters(len(cluster))
    leverage = leverages(linear, cluster, n_clusters)
    if leverage is None:
        where = "" if len(linear.strata) == 1 else " of one stratum"
        return Spread(np.nan, np.nan, f"all of the denominator{where} lies in one cluster")
    share, part, scale = leverage.share, leverage.part, leverage.scale
    within = share @ part  # variance of a cluster's sum, before the estimate itself is subtracted
    cross = share.T @ (share * scale[:, None])
    cross = cross if isinstance(cross, np.ndarray) else cross.toarray()
    norm = float(scale**2 @ (within * (within - 2 * ((share * share) @ part))) + part @ (cross**2) @ part)
    sums = cluster_sums(linear, cluster, n_clusters)
    return Spread(float(np.sqrt(sums @ (sums * scale))), float(within.sum()) ** 2 / norm)


@dataclass(frozen=True, slots=True)
class Leverages:
    """share: (G, H) each cluster's share of each stratum's denominator; part: (H,) variance of each stratum;
    scale: (G,) what CR2 multiplies a squared cluster sum by, 1 / (1 - leverage)."""

    share: Any  # dense, or sparse with several strata
    part: Vector
    scale: Vector


def leverages(linear: Linear, cluster: Codes, n_clusters: int) -> Leverages | None:
    """None where one cluster holds all of a stratum: its variance cannot be known."""
    share, part = _cluster_shares(linear, cluster, n_clusters)
    if share.max() > 1 - _ROUNDING:
        return None
    within = share @ part
    leverage = np.divide((share * share) @ part, within, out=np.zeros_like(within), where=within > 0)
    return Leverages(share, part, 1 / (1 - leverage))


def _no_clusters(n: int) -> Spread:
    return Spread(np.nan, np.nan, "all items are in one cluster" if n > 1 else "there is one item only")


def _cluster_shares(linear: Linear, cluster: Codes, n_clusters: int) -> tuple[Any, Vector]:
    """Each cluster's share of each stratum's denominator, (G, H), and each stratum's variance, (H,)."""
    strata = linear.strata
    if len(strata) == 1:
        return np.bincount(cluster, linear.share, n_clusters)[:, None], np.ones(1)
    from scipy.sparse import coo_array  # many strata x many clusters do not fit as a dense array

    share = coo_array((linear.share, (cluster, strata.codes)), shape=(n_clusters, len(strata))).tocsr()
    independent = 1 - strata.sums(linear.share**2)  # unbiased for independent items, as n - 1 is for a mean
    part = np.divide(strata.sums(linear.influence**2), independent, where=independent > 0, out=np.zeros(len(strata)))
    return share, part if part.any() else np.ones(len(strata))


def _without_rounding(values: Vector, magnitude: Vector) -> Vector:
    return np.where(np.abs(values) <= _ROUNDING * magnitude, 0.0, values)
