"""`wer` and `cer`: errors of a transcript in words and in characters, counted by jiwer."""

from __future__ import annotations

from typing import ClassVar

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.metric import Metric
from judges.transcript_text import Normaliser, libraries, normaliser
from judges.verdict import Verdict

_KINDS = ("substitutions", "deletions", "insertions")
EDITS, LENGTH = "edits", "length"


class TranscriptParams(TextParams):
    """normaliser: what is done to both texts before they are compared, see `judges.transcript_text`."""

    normaliser: Normaliser = "basic"


class WerJudge(TextJudge):
    """Word error rate: the sum of all edits over the sum of all reference words, less is better.

    A verdict's components are its `edits` (substitutions, deletions, insertions, each a component too) and the
    `length` of its reference, so that the rate of a corpus is a ratio of sums and no mean of rates. The score is
    1 - edits / length, at least 0: for looking at single items. An empty response is all deletions.
    """

    name: ClassVar[str] = "wer"
    Parameters = TranscriptParams
    sources = ("transcript.py", "transcript_text.py")

    extra = "speech"

    def __init__(self, params: TranscriptParams) -> None:
        super().__init__(params)
        self.libraries = ("jiwer", "rapidfuzz", *libraries(params.normaliser))  # type: ignore[misc]

    def _normalise(self, text: str) -> str:
        return normaliser(self.params.normaliser)(text)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        rates = ((self.name, EDITS), *((kind, kind) for kind in _KINDS))
        return tuple(Metric(name, {of: 1.0}, {LENGTH: 1.0}, higher_is_better=False) for name, of in rates)

    @property
    def components(self) -> tuple[str, ...]:
        return (EDITS, LENGTH, *_KINDS)

    def label(self, item: ItemLike) -> str:
        if not isinstance(item.target, str) or not item.target.strip():
            raise LabelError(f"expected a transcript, found {item.target!r}")
        return self._normalise(item.target)

    def decide(self, item: ItemLike, label: str, answer: str) -> Verdict:
        return self._verdict(label, self._normalise(answer))

    def no_answer(self, item: ItemLike, label: str) -> Verdict:
        return self._verdict(label, "")

    def _verdict(self, reference: str, text: str) -> Verdict:
        counts, length = self._counts(reference, text)
        edits = sum(counts.values())
        score = max(0.0, 1 - edits / length) if length else float(edits == 0)
        return Verdict(score, answer=text or None, values={EDITS: edits, LENGTH: length, **counts})

    def _counts(self, reference: str, text: str) -> tuple[dict[str, float], int]:
        import jiwer

        found = jiwer.process_words(reference, text)
        return {kind: float(getattr(found, kind)) for kind in _KINDS}, sum(map(len, found.references))


class CerJudge(WerJudge):
    """Character error rate: as `wer`, in characters; spaces between words are characters, too."""

    name: ClassVar[str] = "cer"

    def _counts(self, reference: str, text: str) -> tuple[dict[str, float], int]:
        import jiwer

        found = jiwer.process_characters(reference, text)
        return {kind: float(getattr(found, kind)) for kind in _KINDS}, sum(map(len, found.references))
