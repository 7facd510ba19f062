"""A video as a stream: its frames one after another, each at its time, none before it is asked for."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any, BinaryIO

from resources.media import QUALITY, size_within
from resources.models.base import Media
from resources.video import BadVideo

# A video that ends this long (seconds, or this share of its length) before its header says was cut off.
_SHORT_SECONDS, _SHORT_SHARE = 1.0, 0.05
_THUMB = 32  # pixels of the edge of the grey pictures that frames are compared by
_NEVER = 1e-9  # seconds: times that differ by less are one


@dataclass(frozen=True, slots=True)
class Frame:
    """What a stream shows at one of its ticks.

    number, time: tick 0, 1, ... and its seconds. change: mean difference of grey levels to the tick before, in
    [0, 1], of both scaled to 32 x 32; 1 for the first.
    """

    number: int
    time: float
    media: Media
    change: float


class Feed:
    """The frames of a video at 0, 1/rate, 2/rate ... seconds after its first: what is shown at each of these times.

    Decoded forward, once, and read in place. Frames may come at any intervals: one stays until the next is due.

    length: seconds of the pictures by the header; None: it does not say. end: where the stream was over, once
    it is known. ahead: the next frame; None: there is none left.
    """

    def __init__(self, file: BinaryIO, rate: float, max_pixels: int | None) -> None:
        """Raises BadVideo where the bytes are no video or hold no picture."""
        import av

        self._rate, self._max_pixels = rate, max_pixels
        self.length: float | None = None
        self.end: float | None = None
        self.ahead: Frame | None = None
        self._before: Any = None
        self._lock = Lock()
        try:
            self._container = av.open(file, mode="r", metadata_errors="ignore")
        except (av.error.FFmpegError, EOFError) as error:
            raise _broken(error) from error
        if not self._container.streams.video:
            self.close()
            raise BadVideo("the video has no pictures")
        stream = self._container.streams.video[0]
        if stream.duration and stream.time_base:
            self.length = float(stream.duration * stream.time_base)
        elif self._container.duration and len(self._container.streams) == 1:  # else it may be the sound's
            self.length = self._container.duration / 1_000_000
        self._frames = self._ticks(stream)
        self.advance()

    def close(self) -> None:
        """Waits for a frame that another thread is decoding: an episode that is called off leaves its thread behind."""
        with self._lock:
            self._container.close()

    def advance(self) -> None:
        """`ahead` becomes the frame behind it. Raises BadVideo where the bytes end or break before the video does."""
        import av

        try:
            with self._lock:
                self.ahead = next(self._frames, None)
        except (av.error.FFmpegError, EOFError) as error:
            raise _broken(error) from error

    def _ticks(self, stream: Any) -> Iterator[Frame]:
        tick, first, shown, time, last = 0, None, None, 0.0, 0.0
        for frame in self._container.decode(stream):
            if frame.pts is None:
                continue
            first = frame.pts if first is None else first
            time = float((frame.pts - first) * stream.time_base)
            while shown is not None and tick / self._rate < time - _NEVER:
                yield self._frame(tick, shown)
                tick += 1
            shown, last = frame, float((frame.duration or 0) * stream.time_base)
        if shown is None:
            raise BadVideo("the video has no frame that can be decoded")
        end = time + (last or float(1 / (stream.average_rate or 25)))
        if self.length and self.length - end > max(_SHORT_SECONDS, _SHORT_SHARE * self.length):
            raise BadVideo(f"the video ends at {end:.1f} s of {self.length:.1f} s: it was cut off")
        while tick / self._rate < end - _NEVER:
            yield self._frame(tick, shown)
            tick += 1
        self.end = end

    def _frame(self, tick: int, shown: Any) -> Frame:
        from PIL import Image

        picture = shown.to_image()
        if shown.rotation % 360:
            picture = picture.rotate(shown.rotation, expand=True)
        size = size_within(picture.size, None, self._max_pixels)
        if size != picture.size:
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=QUALITY)
        data = buffer.getvalue()
        media = Media(data, "image/jpeg", hashlib.sha256(data).hexdigest())
        return Frame(tick, tick / self._rate, media, self._change(picture))

    def _change(self, picture: Any) -> float:
        import numpy as np

        grey = np.asarray(picture.convert("L").resize((_THUMB, _THUMB)), np.float64)
        before, self._before = self._before, grey
        return 1.0 if before is None else float(np.mean(np.abs(grey - before)) / 255)


def _broken(error: Exception) -> BadVideo:
    return BadVideo(f"the video cannot be decoded: {getattr(error, 'strerror', None) or error}")
