"""The frames of an open video at ascending times, sought where they are far apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Seconds ahead from which on seeking is cheaper than decoding up to there: half of the usual ten
# seconds between two key frames.
LEAP = 5.0


def rewind(container: Any, stream: Any, start: int) -> None:
    """Back to the first frame, whose time is `start`."""
    # Seeking to the first frame's own time may lead to the second key frame (MPEG-TS), below 0 it fails (AVI).
    container.seek(min(start, 0), stream=stream)


class FrameReader:
    """The frame that is shown at a time, for times that ascend.

    shown: the first frame at first; None: there is none. start: its time, in ticks of the stream.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self._leap = round(LEAP / stream.time_base)
        self._frames = self._decoded()
        self._next: Any = None
        self.shown: Any = next(self._frames, None)
        self.start: int = self.shown.pts if self.shown else 0

    def _decoded(self) -> Iterator[Any]:
        return (frame for frame in self._container.decode(self._stream) if frame.pts is not None)

    def at(self, time: int, to_end: bool = False) -> Any:
        """The last frame that begins at or before a time in ticks. to_end: or the last of all, after it."""
        if time - self.shown.pts > self._leap:
            self._seek(time)
        while True:
            if self._next is None:
                self._next = next(self._frames, None)
            if self._next is None or (self._next.pts > time and not to_end):
                return self.shown
            self.shown, self._next = self._next, None

    def _seek(self, time: int) -> None:
        """Go on from a key frame at or before the time; from the first frame if there is no other."""
        for back in (0, self._leap, time):
            # A key frame may be shown later than its place in the file says: then from one before it.
            self._container.seek(max(time - back, self.start), stream=self._stream)
            self._frames = self._decoded()
            frame = next(self._frames, None)
            if frame is not None and frame.pts <= time:
                self.shown, self._next = frame, None
                return
