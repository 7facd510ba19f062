"""`rouge`: overlap with reference texts, by Google's rouge-score."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from judges.base import ItemLike, TextJudge, TextParams
from judges.exact import accepted_texts
from judges.metric import Metric
from judges.verdict import Verdict

_KINDS = ("rougeL", "rouge1", "rouge2", "rougeLsum")


class RougeParams(TextParams):
    """stemmer: Porter's, as ROUGE-1.5.5 with `-m`."""

    stemmer: bool = False


class RougeJudge(TextJudge):
    """F measures of rougeL (the score), rouge1, rouge2 and rougeLsum (sentences at line breaks), each metric a mean.

    The label is one reference or a list; of several, each measure takes its best one. Only Latin letters and digits
    are words to rouge-score: a text without any scores 0.
    """

    name: ClassVar[str] = "rouge"
    Parameters = RougeParams
    sources = ("rouge.py", "exact.py")
    libraries = ("rouge-score", "nltk")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(Metric(kind, {kind: 1.0}) for kind in _KINDS)

    @property
    def components(self) -> tuple[str, ...]:
        return _KINDS

    def label(self, item: ItemLike) -> tuple[str, ...]:
        return accepted_texts(item.target)

    def decide(self, item: ItemLike, label: tuple[str, ...], answer: str) -> Verdict:
        found = self._scorer.score_multi(label, answer)
        values = {kind: float(found[kind].fmeasure) for kind in _KINDS}
        return Verdict(values["rougeL"], answer=answer, values=values)

    @cached_property
    def _scorer(self) -> Any:
        from rouge_score.rouge_scorer import RougeScorer

        return RougeScorer(list(_KINDS), use_stemmer=self.params.stemmer)
