"""`loglikelihood`: how likely the model holds the label to be, as the continuation of its prompt."""

from __future__ import annotations

import math
from typing import ClassVar

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.metric import Metric
from judges.verdict import NO_ANSWER, Verdict

SUM, BYTES, TOKENS, PER_TOKEN = "loglikelihood", "bytes", "tokens", "per_token"


class LoglikelihoodJudge(TextJudge):
    """The score is the probability of a byte of the label, the geometric mean over its bytes.

    With L the label's log-likelihood (natural) and n its bytes of UTF-8, that is exp(L / n): 1 over
    its perplexity per byte, and 2 to the power of minus its bits per byte. Bytes are the same for
    every tokenizer, so models can be compared by it. `probability_per_token` is exp(L / tokens), 1
    over the perplexity per token (NaN where the number of tokens is not known): for models of one
    tokenizer. Both are means over items, in (0, 1], higher is better.

    The components `loglikelihood` (L, in nats), `bytes` and `tokens` stand with each score, for any
    other aggregate: the corpus' perplexity per token is exp(-sum L / sum tokens).
    """

    name: ClassVar[str] = "loglikelihood"
    Parameters = TextParams
    sources = ("loglikelihood.py",)
    reads = ("label",)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("probability_per_byte"), Metric("probability_per_token", {PER_TOKEN: 1.0}))

    @property
    def components(self) -> tuple[str, ...]:
        return (SUM, BYTES, TOKENS, PER_TOKEN)

    def label(self, item: ItemLike) -> str:
        if item.choices is not None:
            raise LabelError("the task has doc_to_choice: rank its options with judge 'choice'")
        return str(item.target)

    def decide(self, item: ItemLike, label: str, answer: str) -> Verdict:
        return Verdict.not_scored(f"judge {self.name!r} reads log-likelihoods, but the response holds text")

    def decide_loglikelihoods(
        self, item: ItemLike, label: str, loglikelihoods: tuple[float, ...], tokens: tuple[int, ...] | None
    ) -> Verdict:
        if len(loglikelihoods) != 1:
            return Verdict.not_scored(f"{len(loglikelihoods)} log-likelihoods for one label")
        (value,), size = loglikelihoods, max(len(label.encode()), 1)
        count = math.nan if tokens is None else tokens[0]
        if math.isnan(value):
            return Verdict(0.0, flags=(NO_ANSWER,), values=dict.fromkeys(self.components, math.nan))
        values = {SUM: value, BYTES: size, TOKENS: count, PER_TOKEN: math.exp(value / count)}
        return Verdict(math.exp(value / size), values=values)
