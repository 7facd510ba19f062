"""`choice`: the letter or the text of an option, or the likeliest option of log-likelihoods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.choice_rules import ASKING, RANDOM, RULES, RuleName, drawn
from judges.extract import extract
from judges.letter_rules import LEAVING_OUT
from judges.metric import Metric
from judges.options import find_choice, index_of_label, letter_of
from judges.verdict import NO_ANSWER, Verdict

NORM, BYTES, TOKENS, PUBLISHED, ANSWERED = "norm", "bytes", "tokens", "published", "answered"


class ChoiceParams(TextParams):
    """rule: `letters` is `judges.options`; the others are published, see `judges.choice_rules`."""

    rule: Literal["letters"] | RuleName = "letters"


class ChoiceJudge(TextJudge):
    """The label is a letter, an option's text or an index (from 0). The answer key is the letter.

    Of log-likelihoods the score asks whether the label's sum is the largest, as 'acc' of the LM
    Evaluation Harness does. So that a long option is not beaten for its length, further components
    ask it of log-likelihoods divided by the option's length: `norm` in characters (its 'acc_norm'),
    `bytes` in bytes of UTF-8 ('acc_bytes'), `tokens` in tokens of the model (NaN where their number
    is not known). Where k options share the largest value, each of them counts 1/k. Of a text these
    components are NaN: there is nothing to normalise.

    A published rule that draws an option where it finds none has one more component, `published`: the
    score by that rule, where 1/n stands for a draw from n outcomes. The score itself is 0 there. One
    whose script leaves unread answers out of its mean has `answered`, and the metric `accuracy_answered`
    is the script's: right ones over read ones.
    """

    name: ClassVar[str] = "choice"
    Parameters = ChoiceParams
    sources = ("choice.py", "choice_rules.py", "letter_rules.py")
    reads = ("text", "choices")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        means = (Metric(f"accuracy_{name}", {name: 1.0}) for name in self.components if name != ANSWERED)
        read = [Metric(f"accuracy_{name}", {"score": 1.0}, {name: 1.0}) for name in self._answered()]
        return (Metric("accuracy"), *means, *read)

    @property
    def components(self) -> tuple[str, ...]:
        return (NORM, BYTES, TOKENS, *([PUBLISHED] if self.params.rule in RANDOM else []), *self._answered())

    def _answered(self) -> list[str]:
        return [ANSWERED] if self.params.rule in LEAVING_OUT else []

    def label(self, item: ItemLike) -> int:
        index = index_of_label(item.target, item.choices)
        if index is None:
            raise LabelError(f"{item.target!r} is neither letter, text nor index of an option of {item.choices}")
        return index

    def read(self, item: ItemLike, text: str) -> str | None:
        found = extract(text, self.extraction, item.choices)
        if found is None or self.params.rule == "letters":
            return None if found is None else find_choice(found, item.choices)
        if not item.choices:
            raise LabelError(f"rule {self.params.rule!r} needs the options: name them in doc_to_choice")
        letter = RULES[self.params.rule](found, item.choices)
        return find_choice(found, item.choices) if letter is None and self.params.rule in ASKING else letter

    def decide(self, item: ItemLike, label: int, answer: str) -> Verdict:
        score = float(answer == letter_of(label))
        return Verdict(score, answer=answer, values=self._of_text(score, read=True))

    def no_answer(self, item: ItemLike, label: int) -> Verdict:
        return Verdict(0.0, values=self._of_text(drawn(self.params.rule, item.choices or ()), read=False))

    def decide_loglikelihoods(
        self, item: ItemLike, label: int, loglikelihoods: tuple[float, ...], tokens: tuple[int, ...] | None
    ) -> Verdict:
        if item.choices is not None and len(loglikelihoods) != len(item.choices):
            found = f"{len(loglikelihoods)} log-likelihoods for {len(item.choices)} options"
            return Verdict.not_scored(f"{found}: the response does not belong to this item")
        if not loglikelihoods or any(math.isnan(value) for value in loglikelihoods):
            return Verdict(0.0, flags=(NO_ANSWER,), values=self._all(0.0))
        values = self._all(math.nan)
        if item.choices is not None:
            values[NORM] = _right(label, loglikelihoods, [len(choice) for choice in item.choices])
            values[BYTES] = _right(label, loglikelihoods, [len(choice.encode()) for choice in item.choices])
        if tokens is not None:
            values[TOKENS] = _right(label, loglikelihoods, tokens)
        best = _largest(loglikelihoods)
        return Verdict(_share(label, best), answer=letter_of(best[0]), values=values)

    def _all(self, value: float) -> dict[str, float]:
        return dict.fromkeys(self.components, value)

    def _of_text(self, published: float, *, read: bool) -> dict[str, float]:
        values = self._all(math.nan)
        return values | {k: v for k, v in ((PUBLISHED, published), (ANSWERED, float(read))) if k in values}


def _right(label: int, loglikelihoods: Sequence[float], lengths: Sequence[int]) -> float:
    """Whether the label's is the largest of log-likelihoods per unit of length."""
    return _share(label, _largest([v / max(n, 1) for v, n in zip(loglikelihoods, lengths, strict=True)]))


def _largest(values: Sequence[float]) -> list[int]:
    top = max(values)
    return [i for i, value in enumerate(values) if value == top]


def _share(label: int, best: list[int]) -> float:
    return 1 / len(best) if label in best else 0.0
