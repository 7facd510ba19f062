"""`choice`: the letter or the text of an option, or the likeliest option of log-likelihoods."""

from __future__ import annotations

import math
from typing import ClassVar

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.extract import extract
from judges.metric import Metric
from judges.options import find_choice, index_of_label, letter_of
from judges.verdict import NO_ANSWER, Verdict

NORM = "norm"


class ChoiceJudge(TextJudge):
    """The label is a letter, an option's text or an index (from 0). The answer key is the letter.

    Of log-likelihoods the score asks whether the label's is the largest, and the component `norm`
    asks it of log-likelihoods divided by the option's length in characters (so that a long option
    is not beaten for its length; 'acc_norm' of the LM Evaluation Harness). Where k options share
    the largest value, either is 1/k if the label is among them. Of a text `norm` is NaN: there is
    nothing to normalise.
    """

    name: ClassVar[str] = "choice"
    Parameters = TextParams
    sources = ("choice.py",)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("accuracy"), Metric("accuracy_norm", {NORM: 1.0}))

    @property
    def components(self) -> tuple[str, ...]:
        return (NORM,)

    def label(self, item: ItemLike) -> int:
        index = index_of_label(item.target, item.choices)
        if index is None:
            raise LabelError(f"{item.target!r} is neither letter, text nor index of an option of {item.choices}")
        return index

    def read(self, item: ItemLike, text: str) -> str | None:
        found = extract(text, self.extraction, item.choices)
        return None if found is None else find_choice(found, item.choices)

    def decide(self, item: ItemLike, label: int, answer: str) -> Verdict:
        return Verdict(float(answer == letter_of(label)), answer=answer, values={NORM: math.nan})

    def no_answer(self, item: ItemLike, label: int) -> Verdict:
        return Verdict(0.0, values={NORM: math.nan})

    def decide_loglikelihoods(self, item: ItemLike, label: int, loglikelihoods: tuple[float, ...]) -> Verdict:
        if item.choices is not None and len(loglikelihoods) != len(item.choices):
            found = f"{len(loglikelihoods)} log-likelihoods for {len(item.choices)} options"
            return Verdict.not_scored(f"{found}: the response does not belong to this item")
        if not loglikelihoods or any(math.isnan(value) for value in loglikelihoods):
            return Verdict(0.0, flags=(NO_ANSWER,), values={NORM: 0.0})
        best = _largest(loglikelihoods)
        norm = math.nan
        if item.choices is not None:
            lengths = [max(len(choice), 1) for choice in item.choices]
            norm = _share(label, _largest([v / n for v, n in zip(loglikelihoods, lengths, strict=True)]))
        return Verdict(_share(label, best), answer=letter_of(best[0]), values={NORM: norm})


def _largest(values: tuple[float, ...] | list[float]) -> list[int]:
    top = max(values)
    return [i for i, value in enumerate(values) if value == top]


def _share(label: int, best: list[int]) -> float:
    return 1 / len(best) if label in best else 0.0
