"""`contains`: the label occurs in the answer as whole words."""

from __future__ import annotations

from typing import ClassVar

from judges.base import ItemLike, LabelError, TextJudge
from judges.exact import ExactParams, accepted_texts
from judges.text import contains_words, normalise
from judges.verdict import Verdict


class ContainsParams(ExactParams):
    """As for `exact`; punctuation does not count unless asked for."""

    ignore_punctuation: bool = True


class ContainsJudge(TextJudge):
    """Any one of several accepted labels will do.

    The answer key is the accepted label that was found, the longest if there are several; where
    none was found it is the normalised answer, so that two different wrong answers stay different.
    """

    name: ClassVar[str] = "contains"
    Parameters = ContainsParams
    sources = ("contains.py", "exact.py")

    def label(self, item: ItemLike) -> tuple[str, ...]:
        labels = tuple(self._normalise(text) for text in accepted_texts(item.target))
        if not all(labels):
            raise LabelError(f"nothing is left of {item.target!r} after normalisation")
        return labels

    def decide(self, item: ItemLike, label: tuple[str, ...], answer: str) -> Verdict:
        text = self._normalise(answer)
        found = max((words for words in label if contains_words(text, words)), key=len, default=None)
        return Verdict(float(found is not None), answer=text if found is None else found)

    def _normalise(self, text: str) -> str:
        return normalise(text, **self.params.model_dump(exclude={"extract"}))
