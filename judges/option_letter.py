"""`option_letter`: the letter of an option, read by the published rule of a benchmark."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar, Literal

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.extract import extract
from judges.letter_rules import RANDOM, RULES
from judges.metric import Metric
from judges.options import index_of_label, letter_of
from judges.verdict import Verdict

ANSWERED, PUBLISHED = "answered", "published"


class OptionLetterParams(TextParams):
    """rule: whose, see `judges.letter_rules`."""

    rule: Literal[
        "videomme",
        "longvideobench",
        "mvbench",
        "mlvu",
        "streamingbench",
        "perceptiontest",
        "tempcompass",
        "tempcompass_captions",
        "mmlu_pro",
        "gpqa",
    ]


class OptionLetterJudge(TextJudge):
    """The label is a letter, an option's text or an index (from 0). The answer key is the letter.

    A response without a letter is wrong and flagged `no_answer`. Two published ways of dealing with it
    stand beside the accuracy: `accuracy_answered` leaves such responses out (Video-MME's script), and
    `accuracy_published` gives them the expectation of the random option that some rules take
    (LongVideoBench, MMLU-Pro), 1 over the number of options; NaN where the task does not list them.
    For rules that take none it is the accuracy.
    """

    name: ClassVar[str] = "option_letter"
    Parameters = OptionLetterParams
    sources = ("option_letter.py", "letter_rules.py")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (
            Metric("accuracy"),
            Metric("accuracy_answered", {"score": 1.0}, {ANSWERED: 1.0}),
            Metric("accuracy_published", {PUBLISHED: 1.0}),
        )

    @property
    def components(self) -> tuple[str, ...]:
        return (ANSWERED, PUBLISHED)

    def label(self, item: ItemLike) -> int:
        index = index_of_label(item.target, item.choices)
        if index is None:
            raise LabelError(f"{item.target!r} is neither letter, text nor index of an option of {item.choices}")
        return index

    def read(self, item: ItemLike, text: str) -> str | None:
        found = extract(text, self.extraction, item.choices)
        return None if found is None else RULES[self.params.rule](found.strip(), item.choices or ())

    def decide(self, item: ItemLike, label: int, answer: str) -> Verdict:
        score = float(answer == letter_of(label))
        return Verdict(score, answer=answer, values={ANSWERED: 1.0, PUBLISHED: score})

    def no_answer(self, item: ItemLike, label: int) -> Verdict:
        chance = 0.0
        if self.params.rule in RANDOM:
            chance = 1 / len(item.choices) if item.choices else math.nan
        return replace(super().no_answer(item, label), values={ANSWERED: 0.0, PUBLISHED: chance})
