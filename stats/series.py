"""The scores of several checkpoints on the same items, as the band and the choice of the best take them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stats.arrays import Labels, Mask, Vector, vector
from stats.influence import Linear, linearise
from stats.strata import strata_of

# Fewer clusters, and a band or a set of candidates says that it is approximate.
_FEW = 20

Scores: TypeAlias = Mapping[Hashable, npt.ArrayLike]


@dataclass(frozen=True, slots=True)
class Series:
    """names: K checkpoints in order; tops, bottoms: (n,) of each; strata and weights as they were given."""

    tops: dict[Hashable, Vector]
    bottoms: dict[Hashable, Vector]
    strata: Labels | None
    weights: Mapping[Hashable, float] | None

    @property
    def names(self) -> list[Hashable]:
        return list(self.tops)

    def scored(self, *names: Hashable) -> Mask:
        """(n,) items that all of these checkpoints have a score for."""
        kept: Mask = np.logical_and.reduce([~np.isnan(self.tops[k]) & ~np.isnan(self.bottoms[k]) for k in names])
        return kept

    def scored_by_any(self) -> Mask:
        kept: Mask = np.logical_or.reduce([self.scored(name) for name in self.names])
        return kept

    def within_one(self) -> bool:
        """Whether these are plain scores between 0 and 1."""
        plain = self.strata is None and all((bottom == 1).all() for bottom in self.bottoms.values())
        return plain and not any((top < 0).any() or (top > 1).any() for top in self.tops.values())

    def linear(self, name: Hashable, keep: Mask) -> Linear:
        strata = None if self.strata is None else strata_of(self.strata, keep, self.weights)
        return linearise(self.tops[name][keep], self.bottoms[name][keep], strata)


def series_of(
    scores: Scores, denominators: Scores | None, strata: Labels | None, weights: Mapping[Hashable, float] | None
) -> Series:
    """Checked: two checkpoints or more, the same items in each, denominators for each or for none."""
    if not isinstance(scores, Mapping):
        raise ValueError(f"scores of checkpoints are a mapping, name to (n,) scores, not a {type(scores).__name__}")
    if len(scores) < 2:
        raise ValueError(f"two or more checkpoints are needed, not {len(scores)}")
    if denominators is not None and set(denominators) != set(scores):
        odd = sorted(map(str, set(denominators) ^ set(scores)))
        raise ValueError(f"denominators belong to the same checkpoints as the scores; {', '.join(odd)} do not")
    if weights is not None and strata is None:
        raise ValueError("weights belong to strata: give the stratum of each item as well")
    tops = {name: vector(values, f"scores of {name}") for name, values in scores.items()}
    bottoms = {
        name: np.ones_like(top) if denominators is None else vector(denominators[name], f"denominators of {name}")
        for name, top in tops.items()
    }
    lengths = {str(name): (len(tops[name]), len(bottoms[name])) for name in tops}
    if len({length for pair in lengths.values() for length in pair}) > 1:
        raise ValueError(f"one value per item in each checkpoint is needed, but the lengths are {lengths}")
    if strata is not None and not isinstance(strata, np.ndarray):
        strata = list(strata)  # read more than once
    return Series(tops, bottoms, strata, weights)


def few_clusters(n_clusters: int) -> str:
    counted = "1 cluster is" if n_clusters == 1 else f"{n_clusters} clusters are"
    return f"approximate: {counted} fewer than {_FEW}" if n_clusters < _FEW else ""
