"""Strata of items and their weights; a plain mean has one."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from stats.arrays import Codes, Labels, Mask, Vector, encode


@dataclass(frozen=True, slots=True)
class Strata:
    """codes: (n,) stratum of each kept item; names and weights (sum 1): one a stratum, H of them."""

    codes: Codes
    names: tuple[Hashable, ...]
    weights: Vector

    def __len__(self) -> int:
        return len(self.names)

    def sums(self, values: Vector) -> Vector:
        """Sum of `values` (n,) in each stratum, shape (H,).

        np.sum adds pairwise; np.bincount adds one by one, which is 1e-11 off for a million equal scores.
        """
        if len(self) == 1:
            return np.array([values.sum()])
        ends = np.cumsum(np.bincount(self.codes, minlength=len(self)))[:-1]
        parts = np.split(values[np.argsort(self.codes, kind="stable")], ends)
        return np.array([part.sum() for part in parts])


def one_stratum(n: int) -> Strata:
    return Strata(np.zeros(n, dtype=np.intp), ("all items",), np.ones(1))


def strata_of(labels: Labels, keep: Mask, weights: Mapping[Hashable, float] | None) -> Strata:
    """Strata of the kept items; one that lost all of its items stays, so that it can be named."""
    codes, names = encode(labels, len(keep), "strata")
    if weights is None:
        weights = dict.fromkeys(names, 1.0)
    if set(weights) != set(names) or not all(weight > 0 for weight in weights.values()):
        raise ValueError(f"weights must hold one positive number for each of {names} and nothing else")
    weight = np.array([weights[name] for name in names], dtype=np.float64)
    return Strata(codes[keep], tuple(names), weight / weight.sum())
