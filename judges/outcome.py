"""`outcome`: what an episode or a stream came to, as its player measured it."""

from __future__ import annotations

import json
import math
from typing import Any, ClassVar

from pydantic import Field

from judges.base import ItemLike, Params, TextJudge
from judges.metric import Metric
from judges.verdict import Verdict


class OutcomeParams(Params):
    """values: numbers of the outcome that are metrics of their own, as means over episodes, in their own unit.
    fractions: those of `values` that are shares of 1, shown in percent.
    ratios: metrics that are a sum over episodes by another one: `{latency: [latency_sum, detected]}`.
    shares: such as are shares of a whole, shown in percent: `{accuracy: [right, asked]}`.
    lower:  which of these are better when lower.
    """

    values: tuple[str, ...] = ()
    fractions: tuple[str, ...] = ()
    ratios: dict[str, tuple[str, str]] = Field(default_factory=dict)
    shares: dict[str, tuple[str, str]] = Field(default_factory=dict)
    lower: tuple[str, ...] = ()


class OutcomeJudge(TextJudge):
    """The score is the outcome's; why an episode did not succeed is its flag and its answer.

    An outcome that lacks one of the numbers is unscored: a mean over those that have it would be of other episodes.
    """

    name: ClassVar[str] = "outcome"
    Parameters = OutcomeParams
    sources = ("outcome.py",)
    needs_target = False

    @property
    def metrics(self) -> tuple[Metric, ...]:
        lower, fractions = set(self.params.lower), set(self.params.fractions)
        means = (
            Metric(v, {v: 1.0}, higher_is_better=v not in lower, own_scale=v not in fractions)
            for v in self.params.values
        )
        ratios = (
            Metric(name, {above: 1.0}, {below: 1.0}, higher_is_better=name not in lower, own_scale=own)
            for own, named in ((False, self.params.shares), (True, self.params.ratios))
            for name, (above, below) in named.items()
        )
        return (Metric("score"), *means, *ratios)

    @property
    def components(self) -> tuple[str, ...]:
        pairs = (*self.params.shares.values(), *self.params.ratios.values())
        return tuple(dict.fromkeys([*self.params.values, *(name for pair in pairs for name in pair)]))

    def read(self, item: ItemLike, text: str) -> str | None:
        return text

    def decide(self, item: ItemLike, label: Any, answer: str) -> Verdict:
        outcome = json.loads(answer)
        if outcome["score"] is None:
            return Verdict.not_scored(outcome["unscored"] or "the player gave no score")
        values = {name: outcome["values"].get(name) for name in self.components}
        unknown = sorted(name for name, value in values.items() if value is None or not math.isfinite(value))
        if unknown:
            return Verdict.not_scored(f"the outcome has no {', '.join(unknown)}")
        failure = outcome["failure"]
        return Verdict(
            float(outcome["score"]),
            answer=failure or "success",
            flags=(failure,) if failure else (),
            values={name: float(value) for name, value in values.items()},
        )
