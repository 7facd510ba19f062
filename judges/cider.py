"""`cider`: consensus of a caption with people's captions, CIDEr-D by pycocoevalcap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar

from judges.base import ItemLike, Params, TextJudge, TextParams, as_item
from judges.exact import accepted_texts
from judges.metric import Metric
from judges.verdict import Verdict

_LONGEST = 4
# What the captioning challenge takes out of the tokens. It also means to take out brackets, but looks for "-LRB-" and
# so on after everything was put in lower case: they stay, as words.
_PUNCTUATION = {"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"}
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_TYPOGRAPHIC = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")


class CiderJudge(TextJudge):
    """CIDEr-D: cosine similarity of tf-idf weighted 1- to 4-grams, times 10; captions reach 1.4 (often printed as 140).

    The label is the list of people's captions. How rare an n-gram is comes from the captions of all items of the data
    set, whichever of them are judged (`prepare`); given these weights the metric is a mean over items, and is treated
    as one. Tokens are those of the Penn Treebank by NLTK, in lower case, without punctuation: the challenge runs
    Stanford's tokenizer for the same standard, which needs Java.
    """

    name: ClassVar[str] = "cider"
    Parameters = TextParams
    sources = ("cider.py", "exact.py")
    libraries = ("pycocoevalcap", "nltk", "numpy")
    extra = "captions"
    needs_corpus = True

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._frequency: Counter[tuple[str, ...]] = Counter()
        self._size = 0

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("cider"),)

    def prepare(self, items: Iterable[Any]) -> None:
        """Counts in how many items each n-gram of the captions occurs."""
        from pycocoevalcap.cider.cider_scorer import precook

        self._frequency, self._size = Counter(), 0
        for item in map(as_item, items):
            if item.target is not None:
                captions = [precook(_tokens(text), _LONGEST) for text in accepted_texts(item.target)]
                self._frequency.update(set().union(*captions))
                self._size += 1

    def label(self, item: ItemLike) -> tuple[str, ...]:
        return tuple(_tokens(text) for text in accepted_texts(item.target))

    def decide(self, item: ItemLike, label: tuple[str, ...], answer: str) -> Verdict:
        from pycocoevalcap.cider.cider_scorer import CiderScorer

        if not self._size:
            raise RuntimeError("the captions of the data set were not counted: call `prepare` with all of its items")
        text = _tokens(answer)
        scorer = CiderScorer(test=text, refs=list(label), n=_LONGEST)
        scorer.document_frequency = self._frequency
        scorer.crefs = _OfMany(scorer.crefs, self._size)
        return Verdict(float(scorer.compute_cider()[0]), answer=text)


class _OfMany(list[Any]):
    """One item's captions that count as those of `size` items: the scorer asks for their number to weigh n-grams."""

    def __init__(self, captions: list[Any], size: int) -> None:
        super().__init__(captions)
        self.size = size

    def __len__(self) -> int:
        return self.size


def _tokens(text: str) -> str:
    """Tokens in lower case, separated by spaces."""
    words = _tokenizer().tokenize(" ".join(text.translate(_TYPOGRAPHIC).split()))
    return " ".join(_BRACKETS.get(word, word.lower()) for word in words if word not in _PUNCTUATION)


@cache
def _tokenizer() -> Any:
    from nltk.tokenize.treebank import TreebankWordTokenizer

    return TreebankWordTokenizer()
