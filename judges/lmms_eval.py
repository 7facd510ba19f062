"""`lmms_eval`: verdicts by the functions of an lmms-eval task, which run elsewhere."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from judges.base import ItemLike, Judge, Params, ResponseLike, as_item, as_response
from judges.extract import strip_reasoning
from judges.metric import Metric
from judges.refusal import is_refusal
from judges.verdict import EMPTY, REFUSAL, TRUNCATED, Verdict

_CHUNK = 64  # items handed to a thread at a time: a cancelled evaluation stops within one
_ANSWERS = ("parsed_pred", "pred", "prediction", "pred_answer", "answer_pred", "parsed_answer")


class Grader(Protocol):
    """Who runs the functions: `task_defs.lmms_eval.grader.Grader`, handed in by `judge_spec`."""

    def grade(
        self, doc: Mapping[str, Any], text: str | None = None, losses: Sequence[float] | None = None
    ) -> tuple[dict[str, Any], dict[str, float | None]]: ...
    def aggregate(self, metric: str, results: Sequence[Any], without: Sequence[Sequence[int]] = ()) -> list[Any]: ...


class LmmsEvalParams(Params):
    """task, definition: which, and the digest of its sources. metrics: {metric, aggregation, higher_is_better} each."""

    task: str
    definition: str
    metrics: tuple[dict[str, Any], ...]
    score_key: str = "score"
    grader: Any


class LmmsEvalJudge(Judge):
    """Each metric's value for an item is what `process_results` gave it.

    A metric whose aggregation is `mean` is a mean of them, or of what they have under `score_key`. Any other is
    computed by the task's function from all results, see `Metric.aggregate`; an item's own value of it is the
    aggregation of this one result, where that is a number. The score is the first metric's value that is known, else
    what stands under `score_key`.
    """

    name: ClassVar[str] = "lmms_eval"
    Parameters = LmmsEvalParams
    sources = ("lmms_eval.py",)
    reads = ("text", "choices")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(self._metric(spec) for spec in self.params.metrics)

    def _metric(self, spec: Mapping[str, Any]) -> Metric:
        name = spec["metric"]
        aggregate = None if spec["aggregation"] == "mean" else _Aggregate(self.params.grader, name)
        return Metric(name, {name: 1.0}, None, spec["higher_is_better"], own_scale=None, aggregate=aggregate)

    @property
    def components(self) -> tuple[str, ...]:
        return tuple(spec["metric"] for spec in self.params.metrics)

    def _digest_params(self) -> Any:
        return self.params.model_dump(mode="json", exclude={"grader"})

    async def judge_many(self, items: Sequence[Any], responses: Sequence[Any]) -> list[Verdict]:
        if len(items) != len(responses):
            raise ValueError(f"{len(items)} items but {len(responses)} responses: one response for each item")
        pairs = [(as_item(i), as_response(r)) for i, r in zip(items, responses, strict=True)]
        verdicts: list[Verdict] = []
        for start in range(0, len(pairs), _CHUNK):
            verdicts += await asyncio.to_thread(self._judge_part, pairs[start : start + _CHUNK])
        return verdicts

    def _judge_part(self, pairs: Sequence[tuple[ItemLike, ResponseLike]]) -> list[Verdict]:
        return [self._judge(item, response) for item, response in pairs]

    def _judge(self, item: ItemLike, response: ResponseLike) -> Verdict:
        """The verdict on one response. What a function raises makes that item unscored, its traceback kept."""
        if response.error is not None:
            return Verdict.not_scored(f"no response: {response.error.kind}: {response.error.message}")
        if response.finish_reason == "error":
            return Verdict.not_scored("no response: the request failed without a reason")
        text = strip_reasoning(response.text)
        try:
            if response.loglikelihoods is not None:
                found, alone = self.params.grader.grade(item.doc, losses=_losses(response))
            else:
                found, alone = self.params.grader.grade(item.doc, text=text)
            values = {spec["metric"]: self._value(spec, found, alone) for spec in self.params.metrics}
        except (RuntimeError, ValueError) as error:
            return Verdict.not_scored(str(error))
        known = [value for value in (*values.values(), *map(self._own, found.values())) if not math.isnan(value)]
        return Verdict(
            known[0] if known else math.nan,
            answer=_answer(found, text),
            flags=_flags(text, response),
            values=values,
            results=json.dumps(found, ensure_ascii=False),
        )

    def _value(self, spec: Mapping[str, Any], found: Mapping[str, Any], alone: Mapping[str, float | None]) -> float:
        """The item's own value of a metric; NaN where it has none: another metric is of this item, or the aggregation
        takes more than one."""
        name = spec["metric"]
        if spec["aggregation"] != "mean":
            number = alone.get(name)
            return math.nan if number is None else number
        if name not in found:
            return math.nan
        value = self._own(found[name])
        if math.isnan(value):
            shown = str(found[name])[:200]
            raise ValueError(f"judge error: process_results gave {shown} for {name!r}, of which there is no mean")
        return value

    def _own(self, value: Any) -> float:
        """A number, or what a mapping has under `score_key`; NaN for anything else."""
        if isinstance(value, Mapping):
            value = value.get(self.params.score_key)
        return float(value) if isinstance(value, bool | int | float) else math.nan


class _Aggregate:
    """A metric over all results: see `Grader.aggregate`."""

    def __init__(self, grader: Grader, metric: str) -> None:
        self._grader, self._metric = grader, metric

    def __call__(self, results: Sequence[str], without: Sequence[Sequence[int]] = ()) -> list[Any]:
        """results: each item's `Verdict.results`; those without this metric do not count, nor are they left out."""
        values: list[Any] = []
        places: dict[int, int] = {}
        for position, text in enumerate(results):
            found = json.loads(text)
            if self._metric in found:
                places[position] = len(values)
                values.append(found[self._metric])
        gone = [[places[position] for position in rows if position in places] for rows in without]
        return self._grader.aggregate(self._metric, values, gone) if values else [None]


def _losses(response: ResponseLike) -> list[float]:
    """What lmms-eval's models give for each choice: the mean negative log-likelihood of its tokens."""
    assert response.loglikelihoods is not None
    tokens = getattr(response, "continuation_tokens", None) or [1] * len(response.loglikelihoods)
    return [-value / count for value, count in zip(response.loglikelihoods, tokens, strict=True)]


def _answer(found: Mapping[str, Any], text: str) -> str:
    """The answer as the task's own function parsed it, where it says so; else the text."""
    for value in found.values():
        for key in _ANSWERS if isinstance(value, Mapping) else ():
            if (said := value.get(key)) is not None:
                return str(said[0] if isinstance(said, list) and len(said) == 1 else said)[:500]
    return text.strip()[:500]


def _flags(text: str, response: ResponseLike) -> tuple[str, ...]:
    flags = (TRUNCATED,) if response.finish_reason == "length" else ()
    if response.loglikelihoods is not None:
        return ()
    if not text.strip():
        return (*flags, REFUSAL if response.finish_reason == "content_filter" else EMPTY)
    return (*flags, REFUSAL) if is_refusal(text) else flags
