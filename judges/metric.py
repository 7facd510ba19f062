"""How verdicts become one number: the kinds of metric a judge can declare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Metric:
    """A mean of a component, or a ratio of sums of components, over items.

    numerator, denominator: linear combinations of a verdict's components by name ("score" is the
    verdict's score). Without a denominator the metric is the plain mean of the numerator. F1 is
    the ratio 2 TP / (2 TP + FP + FN): ``Metric("f1", {"tp": 2}, {"tp": 2, "fp": 1, "fn": 1})``.

    own_scale: values need not be shares of 1: what they are is known only to who made them.
    aggregate: (results of all items, positions left out) -> [value, value without the first positions, ...], for a
    metric that is neither; results are `Verdict.results`. The list is shorter where time ran out; None for no number,
    a text (first only) for what it gave instead of one.
    """

    name: str
    numerator: Mapping[str, float] = field(default_factory=lambda: {"score": 1.0})
    denominator: Mapping[str, float] | None = None
    higher_is_better: bool = True
    own_scale: bool = False
    aggregate: Callable[[Sequence[str], Sequence[Sequence[int]]], list[Any]] | None = None

    @property
    def kind(self) -> str:
        if self.aggregate is not None:
            return "aggregate"
        return "mean" if self.denominator is None else "ratio"

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the components this metric reads, sorted."""
        return tuple(sorted({*self.numerator, *(self.denominator or {})}))
