"""Frames of a video, taken evenly; only what lies before a frame since its key frame is decoded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from resources.models.base import ModelUnusable

# Seconds ahead from which on seeking is cheaper than decoding up to there: half of the usual ten
# seconds between two key frames.
_LEAP = 5.0
# A video whose frames end this long (seconds, or this share of its length) before its header says
# has been cut off.
_SHORT_SECONDS, _SHORT_SHARE = 1.0, 0.05
_DURATION = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")


class BadVideo(ValueError):
    """The bytes are no video that can be decoded, or hold fewer frames than they say."""


def frame_numbers(
    frames: int,
    rate: float,
    *,
    num_frames: int | None = None,
    fps: float | None = None,
    max_frames: int | None = None,
    start: float | None = None,
    end: float | None = None,
) -> list[int]:
    """Which frames of a video are taken, by number from 0, ascending and without repetition.

    frames, rate: how many the video has, and how many a second.
    num_frames: that many, evenly: floor(i * (frames - 1) / (num_frames - 1)), as lmms-eval takes
        them (numpy's linspace, as integers); 1: the first; all, where there are no more.
    fps: those at 0, 1/fps, 2/fps ... seconds, or `max_frames` evenly where these are more.
    start, end: seconds; the same of the frames from round(start * rate) to round(end * rate), as MVBench
        and most benchmarks with clips take them. An end behind the last frame means that frame; none
        are left where the video is over at `start`.
    """
    if start is not None or end is not None:
        first, last = round((start or 0) * rate), frames - 1
        last = last if end is None else min(last, round(end * rate))
        sampling: dict[str, Any] = {"num_frames": num_frames, "fps": fps, "max_frames": max_frames}
        return [first + n for n in frame_numbers(last - first + 1, rate, **sampling)]
    if frames < 1:
        return []
    if fps is not None:
        step = max(1.0, rate / fps)
        found = [round(i * step) for i in range(int((frames - 1) / step) + 1)]
        if max_frames is None or len(found) <= max_frames:
            return [n for n in found if n < frames]
        num_frames = max_frames
    assert num_frames is not None
    return sorted({i * (frames - 1) // max(1, num_frames - 1) for i in range(num_frames)})


def frames_of(file: BinaryIO, name: str, **sampling: Any) -> Iterator[Any]:
    """Frames as RGB `PIL.Image`s, in order, upright whatever the camera's position was.

    file: the video, read where it is needed. name: shown in errors. sampling: see `frame_numbers`.
    Raises BadVideo where it cannot be decoded or has no frame, ModelUnusable without PyAV.
    """
    av = _av()
    try:
        with av.open(file, mode="r", metadata_errors="ignore") as container:
            if not container.streams.video:
                raise BadVideo(f"video {name} has no pictures, only {_kinds(container)}")
            yield from _sampled(container, name, **sampling)
    except (av.error.FFmpegError, EOFError) as error:
        raise BadVideo(f"video {name} cannot be decoded: {getattr(error, 'strerror', None) or error}") from error


def _sampled(container: Any, name: str, **sampling: Any) -> Iterator[Any]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    ticks = 1 / (rate * float(stream.time_base))  # of one frame
    frames = stream.frames or _said(container, stream, rate) or _counted(container, stream, ticks)
    reader = _Reader(container, stream)
    if reader.shown is None:
        raise BadVideo(f"video {name} has no frame that can be decoded")
    reached = None
    numbers = frame_numbers(frames, rate, **sampling)
    if not numbers:
        raise BadVideo(
            f"video {name} is over after {frames / rate:.1f} s, before its part from {sampling['start']} s on"
        )
    for number in numbers:
        # Half a frame more: times in a file are rounded.
        frame = reader.at(reader.start + int((number + 0.5) * ticks))
        missing = (number * ticks - (frame.pts - reader.start)) * float(stream.time_base)
        if missing > max(_SHORT_SECONDS, _SHORT_SHARE * frames / rate):
            raise BadVideo(f"video {name} ends {missing:.1f} s before frame {number} of {frames}: it was cut off")
        if frame.pts != reached:
            reached = frame.pts
            yield _upright(frame)


def _said(container: Any, stream: Any, rate: float) -> int | None:
    """The number of frames from the length that the header gives for the pictures alone.

    The length of the whole file is that of its longest stream, which may be the sound.
    """
    seconds: float | None = None
    if found := _DURATION.fullmatch(stream.metadata.get("DURATION", "")):  # Matroska's tag
        seconds = int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
    elif stream.duration:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration and len(container.streams) == 1:
        seconds = container.duration / 1_000_000
    return max(1, round(seconds * rate)) if seconds else None


def _counted(container: Any, stream: Any, ticks: float) -> int:
    """The number of frames where the header says nothing of it, from the time of the last one."""
    reader = _Reader(container, stream)
    if reader.shown is None:
        return 0
    first, length = reader.start, (container.duration or 0) / 1_000_000
    last = reader.at(first + max(int(length / stream.time_base), 1), to_end=True)
    container.seek(first, stream=stream)
    frames: int = round((last.pts - first) / ticks) + 1
    return frames


def _upright(frame: Any) -> Any:
    picture = frame.to_image()
    # How far the player must turn it, in degrees, counter-clockwise.
    return picture.rotate(frame.rotation, expand=True) if frame.rotation % 360 else picture


def _kinds(container: Any) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise ModelUnusable(
            "frames of videos need PyAV, which is not installed: pip install 'eval-assets[video]', "
            "or send videos whole with `video: {mode: native}` in the task"
        ) from error
    return av


class _Reader:
    """The frame that is shown at a time, for times that ascend.

    shown: the first frame at first; None: there is none. start: its time, in ticks of the stream.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self._leap = round(_LEAP / stream.time_base)
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
