"""How verdicts become one number: the kinds of metric a judge can declare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Metric:
    """A mean of a component, a ratio of sums, a statistic of sums, or what a function makes of all results, over items.

    numerator, denominator: linear combinations of a verdict's components by name ("score" is the
    verdict's score). Without a denominator the metric is the plain mean of the numerator. F1 is
    the ratio 2 TP / (2 TP + FP + FN): ``Metric("f1", {"tp": 2}, {"tp": 2, "fp": 1, "fn": 1})``.

    corpus, sums: a metric of the whole corpus that is neither (BLEU, chrF, macro F1). `corpus` gets the
    sums over items of the components that `sums` names, in that order, and gives the value, as a fraction.
    It must be defined for fractional sums, since an item with several samples counts with their mean.
    own_scale: whether values are in a unit of their own (steps, seconds) and no shares of 1; None: who made them did
        not say.
    aggregate: (results of all items, positions left out) -> [value, value without the first positions, ...], for a
    metric that is neither; results are `Verdict.results`. The list is shorter where time ran out; None for no number,
    a text (first only) for what it gave instead of one.
    """

    name: str
    numerator: Mapping[str, float] = field(default_factory=lambda: {"score": 1.0})
    denominator: Mapping[str, float] | None = None
    higher_is_better: bool = True
    corpus: Callable[[Sequence[float]], float] | None = None
    sums: tuple[str, ...] = ()
    own_scale: bool | None = False
    aggregate: Callable[[Sequence[str], Sequence[Sequence[int]]], list[Any]] | None = None

    @property
    def kind(self) -> str:
        if self.corpus is not None:
            return "corpus"
        if self.aggregate is not None:
            return "aggregate"
        return "mean" if self.denominator is None else "ratio"

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the components this metric reads, sorted."""
        if self.corpus is not None:
            return tuple(sorted(self.sums))
        return tuple(sorted({*self.numerator, *(self.denominator or {})}))
