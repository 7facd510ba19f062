"""Wild cluster bootstrap: how large the largest of several correlated t statistics becomes by chance.

Each draw gives every cluster a sign, the same for all statistics, and computes each t statistic anew, its
standard error included (Cameron, Gelbach and Miller, Review of Economics and Statistics 90, 2008; residuals
and errors in CR2's scaling: MacKinnon, Nielsen and Webb, Journal of Applied Econometrics 38, 2023). Multiplying
by normal numbers and keeping the standard error, with or without a shared chi-square, is too narrow with few
or unequal clusters (`bench/stats_calibration.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stats.arrays import Codes, Vector
from stats.influence import Linear, leverages
from stats.intervals import t_critical

# More clusters than these are merged at random into as many groups, which are as independent as they were:
# a bounded cost for 100 000 clusters at the price of 2000 degrees of freedom.
_MOST = 2000


@dataclass(frozen=True, slots=True)
class Sums:
    """An estimate as sums over G clusters, in H strata.

    parts: (G, H) influence; share: (G, H) of each stratum's denominator; scale: (G,) CR2's.
    """

    value: float
    parts: Vector
    share: Vector
    scale: Vector

    @property
    def se(self) -> float:
        total = self.parts.sum(axis=1)
        return float(np.sqrt(total @ (total * self.scale)))

    def minus(self, other: Sums) -> Sums:
        return Sums(
            self.value - other.value,
            self.parts - other.parts,
            (self.share + other.share) / 2,
            (self.scale + other.scale) / 2,
        )


def group_clusters(cluster: Codes, n_clusters: int, rng: np.random.Generator) -> tuple[Codes, int]:
    """The clusters, or 2000 random groups of them where there are more."""
    if n_clusters <= _MOST:
        return cluster, n_clusters
    return (rng.permutation(n_clusters) % _MOST)[cluster], _MOST


def sums_of(linear: Linear, cluster: Codes, n_clusters: int, sign: float = 1.0) -> Sums | None:
    """The estimate times `sign`. None where it has no standard error: no item, one cluster, a stratum in one."""
    if linear.problem or len(np.unique(cluster)) < 2:
        return None
    leverage = leverages(linear, cluster, n_clusters)
    if leverage is None:
        return None
    strata = len(linear.strata)
    cell = cluster * strata + linear.strata.codes
    parts: Vector = np.bincount(cell, linear.influence, n_clusters * strata).astype(np.float64)
    share = leverage.share if isinstance(leverage.share, np.ndarray) else leverage.share.toarray()
    return Sums(sign * linear.value, sign * parts.reshape(n_clusters, strata), share, leverage.scale)


def random_signs(n_clusters: int, resamples: int, rng: np.random.Generator) -> Vector:
    """(resamples, n_clusters) of -1 and 1. Raises ValueError for too few to place a quantile."""
    if resamples < 1000:
        raise ValueError(f"resamples={resamples} cannot place the quantile of a maximum: take 1000 or more")
    return rng.integers(0, 2, (resamples, n_clusters), dtype=np.int8).astype(np.float64) * 2 - 1


def t_draws(signs: Vector, estimates: Sequence[Sums]) -> Vector:
    """The t statistic of each estimate in each draw, (resamples, estimates)."""
    strata = estimates[0].parts.shape[1]
    shape = (len(signs), len(estimates), strata)
    adjusted = [e.parts * np.sqrt(e.scale)[:, None] for e in estimates]
    totals = [a.sum(axis=1) for a in adjusted]
    # A draw's cluster sums are sign * total - share . shift; their squares are summed without forming them.
    shift = (signs @ np.hstack(adjusted)).reshape(shape)
    weighted = [e.share * (t * e.scale)[:, None] for e, t in zip(estimates, totals, strict=True)]
    cross = (signs @ np.hstack(weighted)).reshape(shape)
    inner = np.stack([e.share.T @ (e.share * e.scale[:, None]) for e in estimates])  # (estimates, H, H)
    fixed = np.array([t @ (t * e.scale) for e, t in zip(estimates, totals, strict=True)])
    variance = fixed - 2 * (shift * cross).sum(axis=2) + np.einsum("bkh,khj,bkj->bk", shift, inner, shift)
    total = shift.sum(axis=2)
    # Two clusters, one of each sign: the draw's variance is 0 but for rounding, its t infinite.
    small = variance <= 1e-12 * fixed
    t = np.divide(total, np.sqrt(np.where(small, 1, variance)))
    return np.where(small, np.where(np.abs(total) <= 1e-6 * np.sqrt(fixed), 0.0, np.copysign(np.inf, total)), t)


def critical_value(largest: Vector, level: float, df: float) -> float:
    """What the largest |t| stays below with probability `level`, never less than t(df) for one alone."""
    rank = math.ceil(level * (len(largest) + 1)) - 1
    drawn = float(np.sort(largest)[rank]) if rank < len(largest) else math.inf
    return max(drawn, t_critical(level, df))


def p_value(largest: Vector, t: float) -> float:
    """Chance of a largest statistic of t or more, counting the one that was seen."""
    return (1 + int((largest >= t).sum())) / (1 + len(largest))
