"""The frames that are most relevant to what is asked, out of all that were seen."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from resources.episodes.stream_context import Context
from resources.episodes.stream_frames import Frame
from resources.models.base import Media

if TYPE_CHECKING:
    import numpy as np

    from resources.episodes.stream_scorer import Scorer

_BATCH = 16  # frames that are encoded at a time
_DIGITS = 4  # of a cosine: frames that show the same differ by less, through what a batch does to rounding


class Relevant(Context):
    """The `budget` - 1 frames nearest to the question, and the newest. Of equally near frames the earlier is shown.

    A question that nobody knew before can only be met by what was kept of everything. In memory that is a frame's
    features, `width` numbers; its picture waits in a temporary file, as it was fed. A frame is encoded once, when the
    first request needs it, and what was encoded serves all questions of the stream.
    """

    def __init__(self, budget: int, scorer: Scorer) -> None:
        self._most, self._scorer = budget - 1, scorer
        self._file = TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._past: list[tuple[int, float, float, str, int]] = []  # number, time, change, sha, first byte
        self._features: list[np.ndarray] = []
        self._encoded = 0
        self._asked: dict[str, np.ndarray] = {}
        self._newest: Frame | None = None

    def add(self, frame: Frame) -> None:
        if (before := self._newest) is not None and self._most:
            self._past.append((before.number, before.time, before.change, before.media.sha, self._file.seek(0, 2)))
            self._file.write(before.media.data)
        self._newest = frame

    def frames(self, question: str) -> list[Frame]:
        if self._newest is None:
            return []
        chosen = range(len(self._past)) if len(self._past) <= self._most else self._nearest(question)
        return [*(self._frame(number) for number in chosen), self._newest]

    def close(self) -> None:
        self._file.close()

    def _nearest(self, question: str) -> list[int]:
        import numpy as np

        while self._encoded < len(self._past):
            batch = range(self._encoded, min(self._encoded + _BATCH, len(self._past)))
            self._features.append(self._scorer.pictures([self._data(number) for number in batch]))
            self._encoded = batch.stop
        if question not in self._asked:
            self._asked[question] = self._scorer.text(question)
        near = np.round(np.concatenate(self._features) @ self._asked[question], _DIGITS)
        return sorted(np.argsort(-near, kind="stable")[: self._most].tolist())

    def _data(self, number: int) -> bytes:
        start = self._past[number][-1]
        self._file.seek(start)
        behind = number + 1
        return self._file.read(self._past[behind][-1] - start if behind < len(self._past) else -1)

    def _frame(self, number: int) -> Frame:
        tick, time, change, sha, _ = self._past[number]
        return Frame(tick, time, Media(self._data(number), "image/jpeg", sha), change)
