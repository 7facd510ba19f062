"""`yes_no`: yes or no, with the confusion counts that F1, precision and recall are built from."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.extract import stated_answer
from judges.metric import Metric
from judges.verdict import Verdict

_COUNTS = ("tp", "fp", "fn", "tn")
_LABELS: dict[Any, str] = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_WORD = re.compile(r"\b(yes|no)\b(?![-'.]\w)", re.IGNORECASE)


def _macro_f1(sums: Sequence[float]) -> float:
    """The mean of the F1 of "yes" and that of "no"; NaN where neither label nor answer is ever one of them."""
    tp, fp, fn, tn = sums
    parts = [(2 * right, 2 * right + fp + fn) for right in (tp, tn)]
    return sum(top / bottom for top, bottom in parts) / 2 if all(bottom for _, bottom in parts) else math.nan


_METRICS = (
    Metric("accuracy"),
    Metric("f1", {"tp": 2}, {"tp": 2, "fp": 1, "fn": 1}),
    Metric("precision", {"tp": 1}, {"tp": 1, "fp": 1}),
    Metric("recall", {"tp": 1}, {"tp": 1, "fn": 1}),
    Metric("yes_ratio", {"tp": 1, "fp": 1}, dict.fromkeys(_COUNTS, 1.0)),
    Metric("macro_f1", corpus=_macro_f1, sums=_COUNTS),
)


class YesNoParams(TextParams):
    """rule: `words` looks for the words themselves; the others are published ones."""

    rule: Literal["words", "pope", "mme", "vlmevalkit"] = "words"


class YesNoJudge(TextJudge):
    """Labels are yes/no, true/false or booleans. Components tp, fp, fn, tn count the class "yes".
    `macro_f1` is the mean of the F1 of both classes, a metric of the corpus.

    Rule `words`: the answer is the word behind the last "answer is", else the first word of the
    text if that is yes or no, else the only one of the two that occurs; a text with neither, or
    with both in the middle, has no answer. It scores 0, and adds one fn where the label is yes and
    no count where it is no: the model did not say yes.

    Rule `pope` (`eval_pope.py` of LLaVA, the figures that papers print): of the text up to the first
    full stop, without commas, split at single spaces: "no" if a word is "No", "not" or "no", else
    "yes". So "maybe" counts as yes. An empty text, which that rule calls yes, is EMPTY here.

    Rule `mme` (`parse_pred_ans` of MME's eval_tool/calculation.py): of the first four characters in
    lower case, "yes" if they hold "yes", else "no" if they hold "no" ("None", "Now" and "not" do),
    else no answer, which MME calls "other" and wrong: "The answer is yes" has none.

    Rule `vlmevalkit` (`YOrN_Extraction` of VLMEvalKit, the rule-based path that HallusionBench is
    reported by): punctuation as VQA's evaluation strips it, then "yes" or "no" if it is the only one
    of the two among the words. What is neither goes to a language model there, here to rule `words`.
    """

    name: ClassVar[str] = "yes_no"
    Parameters = YesNoParams
    sources = ("yes_no.py",)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return _METRICS

    @property
    def components(self) -> tuple[str, ...]:
        return _COUNTS

    def label(self, item: ItemLike) -> str:
        found = _LABELS.get(str(item.target).strip().rstrip(".").lower())
        if found is None:
            raise LabelError(f"expected yes or no, found {item.target!r}")
        return found

    def read(self, item: ItemLike, text: str) -> str | None:
        found = super().read(item, text)
        if found is None:
            return None
        return _RULES[self.params.rule](found)

    def decide(self, item: ItemLike, label: str, answer: str) -> Verdict:
        count = ("t" if answer == label else "f") + ("p" if answer == "yes" else "n")
        return Verdict(float(answer == label), answer=answer, values=_one(count))

    def no_answer(self, item: ItemLike, label: str) -> Verdict:
        return Verdict(0.0, values=_one("fn" if label == "yes" else None))


def _one(count: str | None) -> dict[str, float]:
    return {name: float(name == count) for name in _COUNTS}


def _pope(text: str) -> str:
    words = text.split(".", maxsplit=1)[0].replace(",", "").split(" ")
    return "no" if {"No", "not", "no"} & set(words) else "yes"


def _words(text: str) -> str | None:
    stated = _WORD.match((stated_answer(text) or "").lstrip("*_\"'( "))
    first = _WORD.match(text.lstrip("*_\"'( \n"))
    for match in (stated, first):
        if match is not None:
            return match.group(1).lower()
    said = {word.lower() for word in _WORD.findall(text)}
    return said.pop() if len(said) == 1 else None


def _mme(text: str) -> str | None:
    start = text.strip().lower()[:4]
    return "yes" if "yes" in start else "no" if "no" in start else None


def _vlmevalkit(text: str) -> str | None:
    lowered = stripped = text.lower()
    comma_in_number = re.search(r"\d,\d", lowered) is not None
    for sign in ';/[]"{}()=+\\_-><@`,?!':
        alone = f"{sign} " in lowered or f" {sign}" in lowered or comma_in_number
        stripped = stripped.replace(sign, "" if alone else " ")
    said = {"yes", "no"} & set(re.sub(r"\.(?!\d)", "", stripped).split())
    return said.pop() if len(said) == 1 else _words(text)


_RULES = {"words": _words, "pope": _pope, "mme": _mme, "vlmevalkit": _vlmevalkit}
