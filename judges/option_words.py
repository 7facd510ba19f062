"""`option_words`: the response has all words of the right option and none of the others' (MMAU)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.extract import extract
from judges.options import index_of_label, letter_of
from judges.text import normalise
from judges.verdict import Verdict

_WORD = re.compile(r"\b\w+\b")


class OptionWordsJudge(TextJudge):
    """MMAU's `evaluation.py`: words in lower case, the wrong options' without those of the right one.

    The label is an option's text, its letter or its index. A letter alone is no answer by this rule
    (it is right only where it is the option's word), and neither is a response that quotes a wrong
    option to refuse it. The answer key is the letter of the one option that the response would be
    right for, else its text. A response without any word has no answer.
    """

    name: ClassVar[str] = "option_words"
    Parameters = TextParams
    sources = ("option_words.py",)

    def label(self, item: ItemLike) -> int:
        index = index_of_label(item.target, item.choices) if item.choices else None
        if index is None:
            raise LabelError(f"{item.target!r} is neither text, letter nor index of an option of {item.choices}")
        return index

    def read(self, item: ItemLike, text: str) -> str | None:
        found = extract(text, self.extraction, item.choices)
        return found if found is not None and _WORD.search(found) else None

    def decide(self, item: ItemLike, label: int, answer: str) -> Verdict:
        choices = item.choices or ()
        right = [number for number in range(len(choices)) if names_option(answer, number, choices)]
        key = letter_of(right[0]) if len(right) == 1 else normalise(answer)
        return Verdict(float(label in right), answer=key)


def names_option(text: str, number: int, choices: Sequence[str]) -> bool:
    """Whether `text` has every word of that option and none that only other options have."""
    said, wanted = _words(text), _words(choices[number])
    others = {word for choice in choices for word in _words(choice)} - wanted
    return wanted <= said and not said & others


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
