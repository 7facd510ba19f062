"""`exact`: the answer equals the label, or one of several accepted labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.text import normalise
from judges.verdict import Verdict


class ExactParams(TextParams):
    """Which differences do not count. White space at the ends never counts with ignore_space."""

    ignore_case: bool = True
    ignore_space: bool = True
    ignore_punctuation: bool = False
    ignore_articles: bool = False


def accepted_texts(target: Any) -> tuple[str, ...]:
    """The accepted answers of a label: one text or number, or a list of them."""
    values = target if isinstance(target, Sequence) and not isinstance(target, str) else [target]
    if not values or not all(isinstance(v, str | int | float) for v in values):
        raise LabelError(f"expected a text, a number or a list of them, found {target!r}")
    return tuple(str(v) for v in values)


class ExactJudge(TextJudge):
    """Components: none. The answer key is the normalised answer."""

    name: ClassVar[str] = "exact"
    Parameters = ExactParams
    sources = ("exact.py",)

    def label(self, item: ItemLike) -> frozenset[str]:
        return frozenset(self._normalise(text) for text in accepted_texts(item.target))

    def decide(self, item: ItemLike, label: frozenset[str], answer: str) -> Verdict:
        key = self._normalise(answer)
        return Verdict(float(key in label), answer=key)

    def _normalise(self, text: str) -> str:
        return normalise(text, **self.params.model_dump(exclude={"extract"}))
