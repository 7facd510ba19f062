"""How verdicts become one number: the kinds of metric a judge can declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Metric:
    """A mean of a component, or a ratio of sums of components, over items.

    numerator, denominator: linear combinations of a verdict's components by name ("score" is the
    verdict's score). Without a denominator the metric is the plain mean of the numerator. F1 is
    the ratio 2 TP / (2 TP + FP + FN): ``Metric("f1", {"tp": 2}, {"tp": 2, "fp": 1, "fn": 1})``.
    """

    name: str
    numerator: Mapping[str, float] = field(default_factory=lambda: {"score": 1.0})
    denominator: Mapping[str, float] | None = None
    higher_is_better: bool = True

    @property
    def kind(self) -> str:
        return "mean" if self.denominator is None else "ratio"

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the components this metric reads, sorted."""
        return tuple(sorted({*self.numerator, *(self.denominator or {})}))
