"""`anls`: similarity to the nearest accepted answer by edit distance, as DocVQA and InfographicVQA score it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from judges.base import ItemLike, TextJudge, TextParams
from judges.exact import accepted_texts
from judges.metric import Metric
from judges.verdict import Verdict

EXACT = "exact"


class AnlsParams(TextParams):
    """threshold: a similarity below it scores 0."""

    threshold: float = Field(default=0.5, ge=0, le=1)


class AnlsJudge(TextJudge):
    """1 - distance / length to the best of the accepted answers; below the threshold 0.

    The rule of the competitions' own script, which Qwen-VL and lmms-eval run as well: the Levenshtein distance is
    that of the texts in lower case with white space folded, while the length is the longer one's of the texts as
    they stand (in upper case, which may be longer), so that padding with space dilutes an error. A similarity of
    exactly the threshold counts. Metric `anls` is the mean, `accuracy` the share with a similarity of 1.
    """

    name: ClassVar[str] = "anls"
    Parameters = AnlsParams
    sources = ("anls.py", "exact.py")
    libraries = ("rapidfuzz",)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("anls"), Metric("accuracy", {EXACT: 1.0}))

    @property
    def components(self) -> tuple[str, ...]:
        return (EXACT,)

    def label(self, item: ItemLike) -> tuple[str, ...]:
        return accepted_texts(item.target)

    def decide(self, item: ItemLike, label: tuple[str, ...], answer: str) -> Verdict:
        best = max(_similarity(text, answer) for text in label)
        score = best if best >= self.params.threshold else 0.0
        return Verdict(score, answer=_folded(answer), values={EXACT: float(best == 1.0)})


def _similarity(label: str, answer: str) -> float:
    from rapidfuzz.distance import Levenshtein

    length = max(len(label.upper()), len(answer.upper()))
    return 1 - Levenshtein.distance(_folded(label), _folded(answer)) / length if length else 1.0


def _folded(text: str) -> str:
    return " ".join(text.lower().split())
