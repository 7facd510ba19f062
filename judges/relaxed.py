"""`relaxed`: numbers within 5 % of the label, texts equal, as ChartQA is scored."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from judges.base import ItemLike, TextJudge, TextParams
from judges.exact import accepted_texts
from judges.verdict import Verdict


class RelaxedParams(TextParams):
    """tolerance: the largest difference, as a share of the label, with which a number is still right."""

    tolerance: float = Field(default=0.05, ge=0, allow_inf_nan=False)


class RelaxedJudge(TextJudge):
    """`relaxed_correctness` of Google's pix2struct, which Qwen-VL and lmms-eval run as well, quirks included.

    A number is what Python's `float` reads of the whole answer; with a percent sign at its end it is a hundredth of
    that, so "25%" and "25" differ by far. "1,200" and "$5" are texts, and so is everything where the label is 0. Texts
    must be equal but for case.
    """

    name: ClassVar[str] = "relaxed"
    Parameters = RelaxedParams
    sources = ("relaxed.py", "exact.py")

    def label(self, item: ItemLike) -> tuple[str, ...]:
        return accepted_texts(item.target)

    def decide(self, item: ItemLike, label: tuple[str, ...], answer: str) -> Verdict:
        right = any(self._right(text, answer) for text in label)
        return Verdict(float(right), answer=answer.lower())

    def _right(self, label: str, answer: str) -> bool:
        want, found = _number(label), _number(answer)
        if found is None or not want:
            return answer.lower() == label.lower()
        within: bool = abs(found - want) / abs(want) <= self.params.tolerance
        return within


def _number(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None
