"""`number`: equal numbers, exactly or within a tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal

from pydantic import Field

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.extract import Extract, extract
from judges.numerals import Number, find_numbers, parse_number
from judges.verdict import Verdict


class NumberParams(TextParams):
    """tolerance: the largest difference that counts as equal, in units or as a share of the label."""

    tolerance: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    kind: Literal["absolute", "relative"] = "absolute"


class NumberJudge(TextJudge):
    """The extracted text's first number, behind any equals sign, against the label or labels.

    By default the text is searched for a box, then for "the answer is ...", then for its last
    number. Thousands separators, currency signs, fractions, mixed numbers and powers of ten are
    read; arithmetic is exact, so 0.1 + 0.2 style errors do not occur. A percent sign on one side
    only leaves open what was meant: 25% equals both 25 and 0.25.
    """

    name: ClassVar[str] = "number"
    Parameters = NumberParams
    sources = ("number.py",)
    default_extract = Extract.model_validate(["boxed", "answer", "last_number"])

    def label(self, item: ItemLike) -> tuple[Number, ...]:
        target = item.target
        values = target if isinstance(target, Sequence) and not isinstance(target, str) else [target]
        return tuple(_label(value) for value in values)

    def read(self, item: ItemLike, text: str) -> str | None:
        # Each method must find a *number*: "The answer is obvious: ... 5" is read by the next one.
        for step in self.extraction.methods:
            found = extract(text, Extract(methods=(step,)), item.choices)
            number = _first(found) if found else None
            if number is not None:
                return number.text
        return None

    def decide(self, item: ItemLike, label: tuple[Number, ...], answer: str) -> Verdict:
        number = parse_number(answer)
        assert number is not None  # `read` returns nothing else
        return Verdict(float(any(self._equal(number, want) for want in label)), answer=number.key)

    def _equal(self, answer: Number, label: Number) -> bool:
        params = self.params
        values = [answer.value]
        if answer.percent != label.percent:
            values.append(answer.value / 100 if answer.percent else answer.value * 100)
        # The decimal number that was written, not its binary neighbour: 0.1 is one tenth.
        allowed = Fraction(str(params.tolerance))
        if params.kind == "relative":
            allowed *= abs(label.value)
        return any(abs(value - label.value) <= allowed for value in values)


def _first(text: str) -> Number | None:
    """The first number behind the last equals sign, if there is one there, else of the text."""
    *_, result = text.rpartition("=")
    return next(find_numbers(result), None) or next(find_numbers(text), None)


def _label(value: object) -> Number:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return Number(Fraction(str(value)))
    number = parse_number(value) if isinstance(value, str) else None
    if number is None:
        raise LabelError(f"expected a number, found {value!r}")
    return number
