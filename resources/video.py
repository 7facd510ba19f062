"""Frames of a video; only what lies before a frame since its key frame is decoded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, Protocol

from resources.frame_reader import LEAP, FrameReader, rewind
from resources.models.base import ModelUnusable
from resources.sampling import evenly, frame_numbers, keyframe_times, scene_times

# A video whose frames end this long (seconds, or this share of its length) before its header says
# has been cut off.
_SHORT_SECONDS, _SHORT_SHARE = 1.0, 0.05
_DURATION = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")


class BadVideo(ValueError):
    """The bytes are no video that can be decoded, or hold fewer frames than they say."""


class Shot(NamedTuple):
    """A frame that was taken. ticks: its time in the file; made: what was wanted of it."""

    ticks: int
    made: Any


class Kept(Protocol):
    """Shots of one video by the time, in ticks, that they were taken for."""

    def get(self, ticks: int) -> Shot | None: ...

    def put(self, ticks: int, shot: Shot) -> None: ...


def frames_of(
    file: BinaryIO,
    name: str,
    *,
    make: Callable[[Any, float], Any] = lambda picture, seconds: picture,
    kept: Kept | None = None,
    most: Callable[[tuple[int, int]], int] | None = None,
    **sampling: Any,
) -> Iterator[Any]:
    """What `make` makes of frames in order, upright whatever the camera's position was.

    file: the video, read where it is needed. name: shown in errors. sampling: see `frame_numbers`; or `keyframes`,
    or `scenes` with its threshold, with `max_frames`, `start` and `end`.
    make: of an RGB `PIL.Image` and its time in seconds since the first frame; by default the picture itself.
    kept: what was made of this video before is not made again. most: how many frames of a size (width, height) may
    be taken; of more, so many evenly.
    Raises BadVideo where it cannot be decoded or has no frame to take, ModelUnusable without PyAV.
    """
    with _opened(file, name) as video:
        targets = video.targets(**sampling)
        yield from video.taken(evenly(targets, most and most(video.size)), make, kept)


def length_of(file: BinaryIO, name: str) -> float:
    """Seconds from the first frame to the end of the last. Raises BadVideo and ModelUnusable."""
    with _opened(file, name) as video:
        return video.frames / video.rate


@contextmanager
def _opened(file: BinaryIO, name: str) -> Iterator[_Video]:
    av = _av()
    try:
        with av.open(file, mode="r", metadata_errors="ignore") as container:
            if not container.streams.video:
                raise BadVideo(f"video {name} has no pictures, only {_kinds(container)}")
            yield _Video(container, name)
    except (av.error.FFmpegError, EOFError) as error:
        raise BadVideo(f"video {name} cannot be decoded: {getattr(error, 'strerror', None) or error}") from error


class _Video:
    """An open video: where its frames are, and the frames at ascending times."""

    def __init__(self, container: Any, name: str) -> None:
        self.container, self.name = container, name
        self.stream = container.streams.video[0]
        self.stream.thread_type = "AUTO"
        self.rate = float(self.stream.average_rate or self.stream.guessed_rate or 25)
        self.tick = float(self.stream.time_base)  # seconds
        self.frame_ticks = 1 / (self.rate * self.tick)
        said = self.stream.frames or _said(container, self.stream, self.rate)
        self.frames: int = said or _counted(container, self.stream, self.frame_ticks)
        self.reader = FrameReader(container, self.stream)
        if self.reader.shown is None:
            raise BadVideo(f"video {name} has no frame that can be decoded")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, upright."""
        frame = self.reader.shown
        return (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)

    def targets(self, **sampling: Any) -> list[int]:
        """The times, in ticks of the file, at which frames are taken. Raises BadVideo where there is none."""
        part = {name: sampling[name] for name in ("start", "end") if sampling.get(name) is not None}
        if sampling.get("keyframes") or sampling.get("scenes"):
            return self._marks(part, sampling.get("scenes"), sampling.get("max_frames"))
        numbers = frame_numbers(self.frames, self.rate, **sampling)
        if not numbers:
            raise self._over(part)
        # Half a frame more: times in a file are rounded.
        return [self.reader.start + int((number + 0.5) * self.frame_ticks) for number in numbers]

    def _marks(self, part: Mapping[str, float], threshold: float | None, most: int | None) -> list[int]:
        begin, end = part.get("start", 0.0), part.get("end", math.inf)
        if begin >= self.frames / self.rate:
            raise self._over(part)
        # Half a tick wider: a time that is exactly a frame's stays one.
        first, last = (self.reader.start + seconds / self.tick for seconds in (begin, end))
        first, last = first - 0.5, last + 0.5
        # From well before it: seeking may lead past a frame.
        before = max(int(first - LEAP / self.tick), min(self.reader.start, 0))
        self.container.seek(before, stream=self.stream)
        if threshold is None:
            found = [time for time in keyframe_times(self.container, self.stream, last) if first <= time <= last]
        else:
            found = scene_times(self.container, self.stream, threshold, first, last)
        if not found:
            what = "key frame" if threshold is None else "frame"
            raise BadVideo(
                f"video {self.name} has no {what} from {begin} to {end} s: take the part by num_frames or fps"
            )
        rewind(self.container, self.stream, self.reader.start)
        self.reader = FrameReader(self.container, self.stream)
        return evenly(found, most)

    def _over(self, part: Mapping[str, float]) -> BadVideo:
        seconds = self.frames / self.rate
        return BadVideo(f"video {self.name} is over after {seconds:.1f} s, before its part from {part['start']} s on")

    def taken(self, targets: Sequence[int], make: Callable[[Any, float], Any], kept: Kept | None) -> Iterator[Any]:
        reached = None
        for target in targets:
            shot = kept.get(target) if kept else None
            if shot is None:
                frame = self.reader.at(target)
                self._look(target, frame)
                if frame.pts == reached:
                    continue
                seconds = (frame.pts - self.reader.start) * self.tick
                shot = Shot(frame.pts, make(_upright(frame), seconds))
                if kept:
                    kept.put(target, shot)
            if shot.ticks != reached:
                reached = shot.ticks
                yield shot.made

    def _look(self, target: int, frame: Any) -> None:
        """Raises BadVideo where the frame at a time is one that is long over."""
        missing = (target - self.frame_ticks / 2 - frame.pts) * self.tick
        if missing > max(_SHORT_SECONDS, _SHORT_SHARE * self.frames / self.rate):
            number = round((target - self.reader.start) / self.frame_ticks - 0.5)
            raise BadVideo(
                f"video {self.name} ends {missing:.1f} s before frame {number} of {self.frames}: it was cut off"
            )


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
    reader = FrameReader(container, stream)
    if reader.shown is None:
        return 0
    first, length = reader.start, (container.duration or 0) / 1_000_000
    last = reader.at(first + max(int(length / stream.time_base), 1), to_end=True)
    rewind(container, stream, first)
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
