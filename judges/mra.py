"""`mra`: mean relative accuracy of a number over ten tolerances, as VSI-Bench scores it."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.metric import Metric
from judges.numerals import find_numbers
from judges.verdict import Verdict

EXACT = "exact"


class MraParams(TextParams):
    """number: the authors take the first word for the number; `first` looks for the first number in the text."""

    number: Literal["word", "first"] = "word"


class MraJudge(TextJudge):
    """The share of confidences c = .5, .55, ... .95 with |answer - label| / label <= 1 - c.

    So a number within 5 % counts 1, within 50 % 0.1, any other 0. An item with options is a question of choice
    instead, which the same benchmark asks: 1 where the first word, without a full stop, is the label's letter (case
    does not count; "(A)" is not "A"). Metrics: `mra` over all, and `exact`, the share of items that score 1.
    """

    name: ClassVar[str] = "mra"
    Parameters = MraParams
    sources = ("mra.py", "numerals.py")
    libraries = ("numpy",)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("mra"), Metric(EXACT, {EXACT: 1.0}))

    @property
    def components(self) -> tuple[str, ...]:
        return (EXACT,)

    def label(self, item: ItemLike) -> str | float:
        if item.choices:
            if not isinstance(item.target, str):
                raise LabelError(f"expected an option's letter, found {item.target!r}")
            return item.target
        found = _float(str(item.target))
        if not found:
            raise LabelError(f"expected a number other than 0, found {item.target!r}")
        return found

    def read(self, item: ItemLike, text: str) -> str | None:
        found = super().read(item, text)
        if found is None:
            return None
        if item.choices or self.params.number == "word":
            return found.split(" ")[0].rstrip(".").strip() or None
        return next((number.text for number in find_numbers(found)), None)

    def decide(self, item: ItemLike, label: str | float, answer: str) -> Verdict:
        if isinstance(label, str):
            score = float(answer.lower() == label.lower())
            return Verdict(score, answer=answer.upper(), values={EXACT: score})
        number = _float(answer.replace(",", "") if self.params.number == "first" else answer)
        if number is None:
            return Verdict(0.0, answer=answer, values={EXACT: 0.0})
        score = _share(number, label)
        return Verdict(score, answer=f"{number:g}", values={EXACT: float(score == 1.0)})


def _share(number: float, label: float) -> float:
    import numpy as np

    # The authors' own grid: its rounding decides where an answer is off by exactly 5 %.
    return float((abs(number - label) / label <= 1 - np.linspace(0.5, 0.95, 10)).mean())


def _float(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
