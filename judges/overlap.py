"""`bleu` and `chrf` by sacrebleu: scores of a whole corpus, from n-gram counts that each verdict carries."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from judges.base import ItemLike, TextJudge, TextParams
from judges.exact import accepted_texts
from judges.metric import Metric
from judges.verdict import Verdict

_ORDERS = (1, 2, 3, 4)


class _CorpusJudge(TextJudge):
    """A response's sums against those of its references: the metric is a function of the sums over all items."""

    sources = ("overlap.py", "exact.py")
    libraries = ("sacrebleu",)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(self.name, corpus=self._of_sums, sums=self.components),)

    def label(self, item: ItemLike) -> tuple[str, ...]:
        return accepted_texts(item.target)

    def decide(self, item: ItemLike, label: tuple[str, ...], answer: str) -> Verdict:
        return self._verdict(label, answer)

    def no_answer(self, item: ItemLike, label: tuple[str, ...]) -> Verdict:
        return self._verdict(label, "")

    @abstractmethod
    def _verdict(self, references: tuple[str, ...], text: str) -> Verdict:
        """The item's own score, and its sums as components."""

    @abstractmethod
    def _of_sums(self, sums: Sequence[float]) -> float:
        """The metric, as a fraction, of the components' sums."""


class BleuParams(TextParams):
    """As sacrebleu has them: its signature is that of these settings."""

    tokenize: Literal["13a", "none", "char", "intl", "zh"] = "13a"
    lowercase: bool = False
    smooth_method: Literal["exp", "none"] = "exp"


class BleuJudge(_CorpusJudge):
    """Metric `bleu`, 0 to 1: BLEU-4 of the corpus from the sums of `correct1..4`, `total1..4` and both lengths.

    The label is one reference, or a list of them. The score of an item is its own BLEU by the orders that it has
    (`effective_order`); their mean is not BLEU and no metric here.
    """

    name: ClassVar[str] = "bleu"
    Parameters = BleuParams

    @property
    def components(self) -> tuple[str, ...]:
        return ("length", "reference_length", *(f"{of}{n}" for of in ("correct", "total") for n in _ORDERS))

    def _verdict(self, references: tuple[str, ...], text: str) -> Verdict:
        found = self._bleu.corpus_score([text], [[reference] for reference in references])
        sums = [found.sys_len, found.ref_len, *found.counts, *found.totals]
        values = dict(zip(self.components, map(float, sums), strict=True))
        return Verdict(found.score / 100, answer=text or None, values=values)

    @property
    def _bleu(self) -> Any:
        from sacrebleu.metrics.bleu import BLEU

        if not hasattr(self, "_made"):
            self._made = BLEU(**self.params.model_dump(exclude={"extract"}), effective_order=True, force=True)
        return self._made

    def _of_sums(self, sums: Sequence[float]) -> float:
        from sacrebleu.metrics.bleu import BLEU

        length, reference_length, *counts = map(float, sums)
        if not length:
            return 0.0
        compute: Any = BLEU.compute_bleu  # its types say whole numbers
        # The counts may be fractions (means over an item's samples), but its lengths may not: the penalty for a text
        # shorter than its reference is put to it here.
        found = compute(
            correct=counts[:4], total=counts[4:], sys_len=1, ref_len=1, smooth_method=self.params.smooth_method
        )
        return float(found.score) / 100 * math.exp(min(0.0, 1 - reference_length / length))


class ChrfParams(TextParams):
    """char_order, word_order: the longest n-grams (word_order 2 is chrF++); beta: the weight of recall."""

    char_order: int = Field(default=6, ge=1, le=10)
    word_order: int = Field(default=0, ge=0, le=4)
    beta: int = Field(default=2, ge=1)
    lowercase: bool = False


class ChrfJudge(_CorpusJudge):
    """Metric `chrf`, 0 to 1: the F score of character n-grams of the corpus.

    Components are the n-grams of each order in the response, in the reference (of several the one that it is most like)
    and in both. The score of an item is its own chrF; their mean is not chrF and no metric here.
    """

    name: ClassVar[str] = "chrf"
    Parameters = ChrfParams

    @property
    def components(self) -> tuple[str, ...]:
        orders = [f"char{n + 1}" for n in range(self.params.char_order)]
        orders += [f"word{n + 1}" for n in range(self.params.word_order)]
        return tuple(f"{order}_{of}" for order in orders for of in ("response", "reference", "both"))

    def _verdict(self, references: tuple[str, ...], text: str) -> Verdict:
        # sacrebleu keeps these counts for its own significance tests, and has no public name for them.
        [counts] = self._chrf._extract_corpus_statistics([text], [[reference] for reference in references])
        values = dict(zip(self.components, map(float, counts), strict=True))
        return Verdict(self._of_sums(counts), answer=text or None, values=values)

    @property
    def _chrf(self) -> Any:
        from sacrebleu.metrics.chrf import CHRF

        if not hasattr(self, "_made"):
            self._made = CHRF(**self.params.model_dump(exclude={"extract"}))
        return self._made

    def _of_sums(self, sums: Sequence[float]) -> float:
        return float(self._chrf._compute_f_score(list(sums))) / 100
