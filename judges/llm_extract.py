"""`llm_extract`: a model reads the answer out of a response, then a rule compares it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import field_validator

from judges.asking import Reply
from judges.base import LabelError, TextJudge, as_item
from judges.extract import strip_reasoning
from judges.function import function_identity
from judges.llm_base import Case, LLMJudge, Messages
from judges.llm_params import LLMParams
from judges.metric import Metric
from judges.reply import Unreadable, number
from judges.verdict import Verdict


class LLMExtractParams(LLMParams):
    """Of a judge whose model reads and whose rule compares.

    prompt: required; it prints what every asked judge's prompt may, and `answer`, the response.
    then:   the rule: any judge that reads text (`choice`, `{name: number, tolerance: 0.01}`, `{name: function, ...}`).
            It is handed the model's reply in place of the response, and its metrics are this judge's.
    known:  `(item, response) -> text or None`: what a response is that needs no reading; the rule gets that text and
            nobody is asked.
    """

    then: dict[str, Any]
    known: Callable[..., Any] | None = None

    @field_validator("prompt")
    @classmethod
    def _given(cls, value: str) -> str:
        if not value:
            raise ValueError("say what the model is asked: a file beside the task's YAML, or the text itself")
        return value

    @field_validator("then", mode="before")
    @classmethod
    def _rule(cls, value: Any) -> Any:
        spec = {"name": value} if isinstance(value, str) else value
        rule = _judge_of(spec)  # what is wrong with it is a ValueError that says so
        if not isinstance(rule, TextJudge) or rule.needs_corpus:
            raise ValueError(f"{rule.name!r} is no rule on one text: take exact, choice, number, math, function ...")
        return spec


class LLMExtract(LLMJudge):
    """Score, components, metrics and flags are those of the rule on what the judge model says; `answer` is its reading.

    An answer that is none (empty; a refusal under `refusals: wrong`) is what the rule makes of an empty text. Where
    the rule cannot use the reply, it is unscored with the rule's reason.
    """

    name: ClassVar[str] = "llm_extract"
    Parameters = LLMExtractParams
    sources = ("llm_extract.py", *LLMJudge._sources)

    def __init__(self, params: LLMExtractParams) -> None:
        super().__init__(params)
        self._rule: TextJudge = _judge_of(params.then)

    @property
    def prompt(self) -> str:
        prompt: str = self.params.prompt
        return prompt

    @property
    def parts(self) -> tuple[str, ...]:
        return ("score", *self._rule.components)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return self._rule.metrics

    def conversations(self, case: Case) -> dict[str, Messages]:
        return {"": self._conversation({**self._common(case), "answer": case.answer})}

    def read_texts(self, case: Case, texts: Mapping[str, str]) -> dict[str, float]:
        text = texts[""]
        if not text.strip():
            raise Unreadable.nothing()
        ruled = self._rule.judge(case.item, text)
        if ruled.score is None:
            raise Unreadable(str(ruled.unscored))
        return self._parts(ruled)

    def verdict(self, item: Any, response: Any, replies: Sequence[Reply]) -> Verdict:
        """The mean over the replies; `answer` and the rule's flags are those of the first one with a text."""
        found = super().verdict(item, response, replies)
        said = next((reply.text for reply in replies if reply.failure is None and reply.text.strip()), None)
        if found.score is None or said is None:
            return found
        ruled = self._rule.judge(as_item(item), strip_reasoning(said))
        return replace(found, answer=ruled.answer, flags=(*found.flags, *ruled.flags))

    def worst(self) -> dict[str, float]:
        return dict.fromkeys(self.parts, 0.0)

    def human_score(self, label: Any) -> float:
        value = number(label if isinstance(label, int | float) else str(label), 0, 1)
        if value is None:
            raise LabelError(f"{label!r} is no verdict of this judge: expected a number from 0 (wrong) to 1 (right)")
        return value

    def _case(self, item: Any, response: Any) -> Case | Verdict:
        case = super()._case(item, response)
        if isinstance(case, Verdict):
            return case if case.score is None else self._unread(self._rule.judge(as_item(item), ""), case.flags, 0)
        if self.params.known is None:
            return case
        try:
            known = self.params.known(case.item, case.answer)
        except Exception as error:  # the task's own function: that item, not the run
            return Verdict.not_scored(f"judge error: {type(error).__name__}: {error}"[:500])
        if known is None:
            return case
        ruled = self._rule.judge(case.item, known)
        return self._unread(ruled, (*case.flags, *ruled.flags), len(case.answer))

    def _unread(self, ruled: Verdict, flags: tuple[str, ...], length: int) -> Verdict:
        """The rule's verdict on a text that no model had to read."""
        if ruled.score is None:
            return ruled
        return replace(self._unasked(self._parts(ruled), flags, length), answer=ruled.answer)

    def _parts(self, ruled: Verdict) -> dict[str, float]:
        assert ruled.score is not None
        return {"score": ruled.score, **{name: ruled.values.get(name, math.nan) for name in self._rule.components}}

    def _digest_params(self) -> Any:
        known, plain = self.params.known, self.params.model_dump(mode="json", exclude={"then", "known"})
        named = None if known is None else function_identity(known)
        return {**plain, "prompt": self.prompt, "then": self._rule.digest(), "known": named}


def _judge_of(spec: Any) -> Any:
    from judges.registry import get_judge  # which imports this module when its judge is asked for

    return get_judge(spec)
