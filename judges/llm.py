"""`llm`: a model grades each answer by itself, on a stated scale, by grades, or by several criteria."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from judges.base import LabelError
from judges.function import function_identity
from judges.llm_base import Case, LLMJudge, Messages
from judges.llm_params import LLMParams
from judges.metric import Metric
from judges.prompt import prompt_text
from judges.reply import Unreadable, name, number, objects, verdict_of


class LLMPointwiseParams(LLMParams):
    """Of a judge that sees one answer at a time.

    scale:    (worst, best) of the judge's scores; reported as fractions of it.
    grades:   grade -> its points from 0 to 1, in place of a scale; each grade's share is a metric.
    none:     the grade of an answer that is none (default: the one with the fewest points).
    criteria: criterion -> what it means: each is scored on the scale; `score` is their mean by `weights`.
    read:     `json`; `number` (the reply begins with it); or a function `(text) -> number on the scale, grade, or
              {part: number}`, where what it raises and None mean that there is no verdict.
    parts:    names of what such a function tells beside `score`. worst: their values for an answer that is none.
    ratios:   metric -> {numerator: {part: weight}, denominator: {part: weight}}: ratios of sums over items.
    """

    scale: tuple[float, float] = (0.0, 1.0)
    grades: dict[str, float] = Field(default_factory=dict)
    none: str | None = None
    criteria: dict[str, str] = Field(default_factory=dict)
    weights: dict[str, float] = Field(default_factory=dict)
    read: Literal["json", "number"] | Callable[[str], Any] = "json"
    parts: tuple[str, ...] = ()
    worst: dict[str, float] = Field(default_factory=dict)
    ratios: dict[str, dict[str, dict[str, float]]] = Field(default_factory=dict)
    run_parts: tuple[str, ...] = ("score",)
    field: str = ""

    @field_validator("scale")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[0] < value[1]:
            raise ValueError("expected [worst, best] with the worst below the best")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> LLMPointwiseParams:
        if self.grades and self.criteria:
            raise ValueError("`grades` and `criteria` exclude each other")
        if any(not 0 <= points <= 1 for points in self.grades.values()):
            raise ValueError("the points of `grades` are from 0 to 1")
        if self.none is not None and self.none not in self.grades:
            raise ValueError(f"none: {self.none!r} is no grade ({', '.join(self.grades)})")
        for names, of in ((self.grades, "grades"), (self.criteria, "criteria")):
            if bad := [n for n in names if not re.fullmatch(r"[A-Za-z]\w*", n)]:
                raise ValueError(f"{of}: {bad[0]!r} must be letters, digits and '_': it names a metric")
        if unknown := set(self.weights) - set(self.criteria):
            raise ValueError(f"weights: no criterion {', '.join(sorted(unknown))}")
        if self.criteria and sum(self.weights.get(c, 1.0) for c in self.criteria) <= 0:
            raise ValueError("weights: they sum to nothing")
        known = {"score", *self.parts, *self.grades, *self.criteria}
        used = {part for ratio in self.ratios.values() for side in ratio.values() for part in side}
        if unknown := (used | set(self.worst) | set(self.run_parts)) - known:
            raise ValueError(f"no part {', '.join(sorted(unknown))}: there are {', '.join(sorted(known))}")
        if any(set(ratio) != {"numerator", "denominator"} for ratio in self.ratios.values()):
            raise ValueError("ratios: each has a numerator and a denominator")
        return self


class LLMPointwise(LLMJudge):
    """Scores are fractions of the scale, 0 worst and 1 best, or the points of the grade.

    Beside the components of `LLMJudge`: each grade's share (0 or 1 for one reply), each criterion, each of `parts`.
    """

    name: ClassVar[str] = "llm"
    Parameters = LLMPointwiseParams
    sources = ("llm.py", *LLMJudge._sources)

    def __init__(self, params: LLMPointwiseParams) -> None:
        super().__init__(params)
        self.run_parts = params.run_parts  # type: ignore[misc]  # a task may report other parts for each run
        self._field = params.field or ("grade" if params.grades else "score")

    @property
    def prompt(self) -> str:
        usual = "grade" if self.params.grades else "criteria" if self.params.criteria else "score"
        return self.params.prompt or prompt_text(usual)

    @property
    def parts(self) -> tuple[str, ...]:
        return ("score", *self.params.grades, *self.params.criteria, *self.params.parts)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        ratios = [Metric(n, r["numerator"], r["denominator"]) for n, r in self.params.ratios.items()]
        return (*super().metrics, *ratios)

    def conversations(self, case: Case) -> dict[str, Messages]:
        p = self.params
        low, high = (f"{end:g}" for end in p.scale)
        own = {"grades": list(p.grades), "criteria": p.criteria, "low": low, "high": high, "field": self._field}
        return {"": self._conversation({**self._common(case), **own, "answer": case.answer})}

    def read_texts(self, case: Case, texts: Mapping[str, str]) -> dict[str, float]:
        text = texts[""]
        if not text.strip():
            raise Unreadable.nothing()
        if callable(self.params.read):
            return self._told(text, self._called(text))
        if self.params.criteria:
            return self._by_criteria(text)
        if self.params.grades:
            grade = verdict_of(text, self._field, lambda v: name(v, self.params.grades), self._expected)
            return self._told(text, grade)
        if self.params.read == "number":
            found = re.match(r"\W{0,3}?(-?\d+(?:\.\d+)?)(?![\w.]*\d)", text.strip())
            value = number(found[1], *self.params.scale) if found else None
            return self._told(text, value)
        return self._told(text, verdict_of(text, self._field, lambda v: number(v, *self.params.scale), self._expected))

    def worst(self) -> dict[str, float]:
        p = self.params
        if p.grades:
            grade = p.none or min(p.grades, key=lambda g: float(p.grades[g]))
            return {**dict.fromkeys(self.parts, 0.0), **p.worst, "score": p.grades[grade], grade: 1.0}
        return {**dict.fromkeys(self.parts, 0.0), **p.worst}

    def human_score(self, label: Any) -> float:
        p = self.params
        if p.grades and (grade := name(str(label), p.grades)) is not None:
            return float(p.grades[grade])
        scale = (0.0, 1.0) if p.grades else p.scale
        value = number(label if isinstance(label, int | float) and not isinstance(label, bool) else str(label), *scale)
        if value is None:
            raise LabelError(f"{label!r} is no verdict of this judge: expected {self._expected}")
        return (value - scale[0]) / (scale[1] - scale[0])

    @property
    def response_format(self) -> dict[str, Any] | None:
        p = self.params
        if p.read != "json" or p.prompt:  # a prompt of the task's own says itself what it wants back
            return None
        one: dict[str, Any] = {"type": "string", "enum": list(p.grades)} if p.grades else {"type": "number"}
        fields = {"reason": {"type": "string"}, **({c: one for c in p.criteria} or {self._field: one})}
        schema = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
        return {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}

    @property
    def _expected(self) -> str:
        if self.params.grades:
            return f"one of {', '.join(self.params.grades)}"
        low, high = self.params.scale
        return f"a number from {low:g} to {high:g}"

    def _called(self, text: str) -> Any:
        try:
            return self.params.read(text)
        except Exception as error:  # the task's own reader: what it raises means that it found no verdict
            raise Unreadable(f"judge gave no verdict: {error}") from error

    def _told(self, text: str, said: Any) -> dict[str, float]:
        """A grade, a number on the scale, or a mapping of parts, as all parts."""
        parts = dict.fromkeys(self.parts, 0.0)
        if isinstance(said, str) and said in self.params.grades:
            return {**parts, "score": self.params.grades[said], said: 1.0}
        if isinstance(said, Mapping):
            if missing := {"score", *self.params.parts} - set(said):
                raise Unreadable.no_verdict(text, ", ".join(sorted(missing)))
            return {**parts, **{str(k): float(v) for k, v in said.items()}}
        low, high = self.params.scale
        value = None if isinstance(said, str) else number(said, low, high)
        if value is None or math.isnan(value):
            raise Unreadable.no_verdict(text, self._expected)
        return {**parts, "score": (value - low) / (high - low)}

    def _by_criteria(self, text: str) -> dict[str, float]:
        low, high = self.params.scale
        flat: dict[str, Any] = {}
        for found in objects(text):
            inner = [v for v in found.values() if isinstance(v, Mapping)]  # {"scores": {...}}
            flat |= {str(k): v for part in (found, *inner) for k, v in part.items()}
        scores = {}
        for criterion in self.params.criteria:
            of = f'{{"{criterion}": {flat[criterion]!r}}}' if criterion in flat else text
            value = verdict_of(of, criterion, lambda v: number(v, low, high), f"{criterion}, {self._expected}")
            scores[criterion] = (value - low) / (high - low)
        weights = {c: self.params.weights.get(c, 1.0) for c in scores}
        total = sum(weights[c] * scores[c] for c in scores) / sum(weights.values())
        return {**dict.fromkeys(self.parts, 0.0), **scores, "score": total}

    def _digest_params(self) -> Any:
        read = self.params.read
        plain = self.params.model_dump(mode="json", exclude={"read"})
        return {**plain, "prompt": self.prompt, "read": read if isinstance(read, str) else function_identity(read)}
