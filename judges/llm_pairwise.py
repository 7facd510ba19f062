"""`llm_pairwise`: a model says which of two answers is better, asked in both orders."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from judges.base import LabelError
from judges.llm_base import Case, LLMJudge, Messages
from judges.llm_params import LLMParams
from judges.metric import Metric
from judges.prompt import PromptError, compiled, prompt_text, template_text
from judges.reply import Unreadable, name, number, verdict_of

Winner = Literal["A", "B", "tie"]
# slot -> what a verdict for A is worth to the answer that is judged
_WORTH = {"first": {"A": 1.0, "B": 0.0, "tie": 0.5}, "second": {"A": 0.0, "B": 1.0, "tie": 0.5}}
_OUTCOMES = {"win": 1.0, "tie": 0.5, "loss": 0.0}
BASELINE = "baseline_answer"  # the key of an item's row under which a checkpoint's answer is handed over
SWAPPED, FIRST, SHORTER = "swap_disagrees", "first_wins", "length_difference"


class LLMPairwiseParams(LLMParams):
    """Of a judge that sees two answers.

    baseline:   Jinja for the other answer (`{{ doc.gpt4_answer }}`).
    baseline_checkpoint: in its place, a checkpoint whose stored answers to this task are the other side.
    swap:       ask in both orders; without it the judged answer always stands first, and no bias shows.
    ties:       whether the judge may call it one.
    """

    baseline: str = "{{ doc.baseline_answer }}"
    baseline_checkpoint: str | None = None
    swap: bool = True
    ties: bool = True
    needs_reference: bool = False
    reference: str | None = None
    generation: dict[str, Any] = Field(default_factory=lambda: {"temperature": 0, "max_tokens": 1024})

    @field_validator("baseline")
    @classmethod
    def _baseline(cls, value: str) -> str:
        return template_text(value)


class LLMPairwise(LLMJudge):
    """The score is what the judged answer wins against the baseline: 1, 0, a tie 0.5, the mean over both orders.

    A judge that prefers whatever stands first gives 0.5, a tie. Parts: `win`, `tie` and `loss` of the score so
    found, `swap_disagrees` (the verdicts of the two orders differ), `first_wins` (of the verdicts that are no tie,
    the share for the answer that stood first: 0.5 without position bias), `length_difference` (characters more
    than the baseline).
    """

    name: ClassVar[str] = "llm_pairwise"
    Parameters = LLMPairwiseParams
    sources = ("llm_pairwise.py", *LLMJudge._sources)

    @property
    def prompt(self) -> str:
        return self.params.prompt or prompt_text("pairwise")

    @property
    def parts(self) -> tuple[str, ...]:
        return ("score", *_OUTCOMES, SWAPPED, FIRST, SHORTER)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("win_rate"), *(Metric(part, {part: 1.0}) for part in _OUTCOMES))

    def conversations(self, case: Case) -> dict[str, Messages]:
        other = self._baseline(case)
        shared = {**self._common(case), "field": "verdict", "ties": self.params.ties}
        first = self._conversation({**shared, "first": case.answer, "second": other})
        if not self.params.swap:
            return {"first": first}
        return {"first": first, "second": self._conversation({**shared, "first": other, "second": case.answer})}

    def read_texts(self, case: Case, texts: Mapping[str, str]) -> dict[str, float]:
        winners = {slot: self._winner(text) for slot, text in texts.items()}
        worth = [_WORTH[slot][winner] for slot, winner in winners.items()]
        score = sum(worth) / len(worth)
        decided = [winner == "A" for winner in winners.values() if winner != "tie"]
        difference = float(len(case.answer) - len(self._baseline(case)))
        return {
            "score": score,
            "win": float(score > 0.5),
            "tie": float(score == 0.5),
            "loss": float(score < 0.5),
            SWAPPED: float(len(set(worth)) > 1) if len(worth) > 1 else math.nan,
            FIRST: sum(decided) / len(decided) if decided and len(worth) > 1 else math.nan,
            SHORTER: difference,
        }

    def worst(self) -> dict[str, float]:
        nothing = dict.fromkeys((SWAPPED, FIRST, SHORTER), math.nan)
        return {"score": 0.0, "win": 0.0, "tie": 0.0, "loss": 1.0, **nothing}

    def human_score(self, label: Any) -> float:
        outcome = name(str(label), _OUTCOMES)
        value = _OUTCOMES[outcome] if outcome else number(label if isinstance(label, float) else str(label), 0, 1)
        if value is None:
            raise LabelError(f"{label!r} is no verdict of this judge: expected win, tie, loss or a number from 0 to 1")
        return value

    @property
    def response_format(self) -> dict[str, Any] | None:
        if self.params.prompt:
            return None
        verdict = {"type": "string", "enum": ["A", "B", *(["tie"] if self.params.ties else [])]}
        fields = {"reason": {"type": "string"}, "verdict": verdict}
        schema = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
        return {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}

    def _baseline(self, case: Case) -> str:
        known = case.variables
        try:
            template = "{{ doc." + BASELINE + " }}" if self.params.baseline_checkpoint else self.params.baseline
            text = compiled(template)(known)
        except PromptError as error:
            raise LabelError(f"no baseline answer: {error}") from error
        if not text.strip():
            raise LabelError("no baseline answer: it is empty")
        return text

    def _winner(self, text: str) -> Winner:
        names = ("A", "B", "tie") if self.params.ties else ("A", "B")
        expected = " or ".join(names)
        marked = list(dict.fromkeys(re.findall(r"\[\[(A|B|C|tie)\]\]", text)))  # MT-Bench's notation, C a tie
        if len(marked) > 1:
            raise Unreadable.several(marked)
        if marked:
            text = "tie" if marked[0] == "C" else marked[0]
        return verdict_of(text, "verdict", lambda value: _as_winner(value, names), expected)


def _as_winner(value: Any, names: tuple[str, ...]) -> Winner | None:
    said = re.sub(r"(?i)^\W*(?:answer|assistant|response)\s+", "", value) if isinstance(value, str) else value
    return name(said, names)  # type: ignore[return-value]
