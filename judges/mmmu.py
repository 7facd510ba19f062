"""`mmmu`: MMMU's own rules, for multiple choice and for open questions (its eval/eval_utils.py)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.choice_rules import drawn, mmmu
from judges.metric import Metric
from judges.options import index_of_label, letter_of
from judges.verdict import Verdict

PUBLISHED = "published"
Normal = str | float
_INDICATORS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_TRIVIAL = {":", ",", ".", "!", "?", ";", "'"}
_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),  # 1,234,567
    re.compile(r"-?\d+(?:\.\d+)?[eE][+-]?\d+"),  # 1.5e-3
    re.compile(r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])"),
)


class MmmuJudge(TextJudge):
    """Items with options are multiple choice (the label a letter), those without are open.

    Multiple choice: see `judges.choice_rules.mmmu`. Where that finds no option, MMMU draws one at
    random; here the answer is wrong and flagged, and the component `published` has the draw's
    expected score, 1 / number of options.

    Open: of each line the shortest part behind "is ", "answer ", "so " ... (behind "=" too in the last
    line), and the numbers in these parts, are the answers; the label, or one of several, is found in
    one of them as a part of its text, or equals one of the numbers, rounded to two decimals. All
    answers are looked at, as whole texts: to take the text for a list and compare it character by
    character (as lmms-eval did for a time) makes most open answers right or wrong by accident.
    """

    name: ClassVar[str] = "mmmu"
    Parameters = TextParams
    sources = ("mmmu.py", "choice_rules.py")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("accuracy"), Metric("accuracy_published", {PUBLISHED: 1.0}))

    @property
    def components(self) -> tuple[str, ...]:
        return (PUBLISHED,)

    def label(self, item: ItemLike) -> str | tuple[Normal, ...]:
        if item.choices:
            index = index_of_label(item.target, item.choices)
            if index is None:
                raise LabelError(f"{item.target!r} is neither letter, text nor index of an option of {item.choices}")
            return letter_of(index)
        several = isinstance(item.target, Sequence) and not isinstance(item.target, str)
        labels = [str(label) for label in (item.target if several else [item.target])]
        if not labels or not all(label.strip() for label in labels):
            raise LabelError(f"expected a text, a number or a list of them, found {item.target!r}")
        return tuple(normal for label in labels for normal in normalised(label))

    def read(self, item: ItemLike, text: str) -> str | None:
        found = super().read(item, text)
        return mmmu(found, item.choices) if found is not None and item.choices else found

    def decide(self, item: ItemLike, label: str | tuple[Normal, ...], answer: str) -> Verdict:
        right = answer == label if isinstance(label, str) else _open_right(answer, label)
        key = answer if isinstance(label, str) else key_parts(answer)[-1]
        return Verdict(float(right), answer=key, values={PUBLISHED: float(right)})

    def no_answer(self, item: ItemLike, label: str | tuple[Normal, ...]) -> Verdict:
        return Verdict(0.0, values={PUBLISHED: drawn("mmmu", item.choices or ())})


def _open_right(text: str, labels: tuple[Normal, ...]) -> bool:
    parts = key_parts(text)
    found = [*parts, *(number for part in parts for number in numbers(part))]
    answers = {normal for answer in found for normal in normalised(answer)}
    texts = [label for label in labels if isinstance(label, str)]
    return any(
        any(label in answer for label in texts) if isinstance(answer, str) else answer in labels for answer in answers
    )


def key_parts(text: str) -> list[str]:
    """The parts of an open answer that may hold the answer, in lower case; the whole text if there is none.

    The text is in lower case before it is cut at sentences that begin with a capital: the published
    code cuts it at line ends only, too.
    """
    text = text.strip().strip(".").lower()
    lines, parts = text.split("\n"), []
    for number, line in enumerate(lines):
        indicators = (*_INDICATORS, "=") if number == len(lines) - 1 else _INDICATORS
        tails = [line.rsplit(indicator, 1)[1].strip() for indicator in indicators if indicator in line]
        shortest = _shortest(tails)
        if shortest and shortest not in _TRIVIAL:
            parts.append(shortest)
    return parts or [text]


def _shortest(tails: Sequence[str]) -> str:
    """The first of the shortest; an empty one gives way to whatever comes next."""
    kept = ""
    for tail in tails:
        if not kept or len(tail) < len(kept):
            kept = tail
    return kept


def numbers(text: str) -> list[str]:
    return [number for pattern in _NUMBERS for number in pattern.findall(text)]


def normalised(text: str) -> list[Normal]:
    """A number rounded to two decimals; else the text in lower case, a single character with a space at either side."""
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        lowered = text.lower()
        return [f" {lowered}", f"{lowered} "] if len(lowered) == 1 else [lowered]
