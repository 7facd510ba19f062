"""What a judge says of one response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# Flags name what a *model* did wrong; a flagged response still scores (0, usually).
NO_ANSWER = "no_answer"  # nothing could be extracted from the text
EMPTY = "empty"
REFUSAL = "refusal"
TRUNCATED = "truncated"  # the response ended at the token limit

_NO_VALUES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Verdict:
    """A score with flags, or `unscored` with its reason; never both.

    score:    the primary score of this sample, usually in [0, 1]; None exactly when unscored.
    values:   further named components that metrics are built from (`tp`, `fp`, a numerator ...).
    answer:   the extracted, normalised answer (two equal keys are the same answer); None: no answer.
    flags:    what the model did wrong, see the constants above.
    results:  what a metric over all items is computed from, as JSON (`Metric.aggregate`).
    unscored: why the infrastructure or the data does not allow a score (`missing label`, ...).
    """

    score: float | None
    answer: str | None = None
    flags: tuple[str, ...] = ()
    # A factory, since Python 3.11 takes a mapping proxy for a mutable default.
    values: Mapping[str, float] = field(default_factory=lambda: _NO_VALUES)
    unscored: str | None = None
    results: str | None = None

    def __post_init__(self) -> None:
        if (self.score is None) == (self.unscored is None):
            raise ValueError("a verdict has either a score or a reason why it is unscored")

    @classmethod
    def not_scored(cls, reason: str) -> Verdict:
        return cls(score=None, unscored=reason)
