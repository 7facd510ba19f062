"""Which frames of a video are taken: by number, by key frame, by change of scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")

# Bump when `scene_times` finds other times in the same video: it is part of the identity of what is asked.
SCENE_RULE = 1
_SCENE_WIDTH = 160


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


def evenly(found: Sequence[T], most: int | None) -> list[T]:
    """At most so many of a sequence, evenly from the first to the last, by the rule of `num_frames`."""
    if most is None or len(found) <= most:
        return list(found)
    return [found[i] for i in frame_numbers(len(found), 1, num_frames=most)]


def keyframe_times(container: Any, stream: Any, last: float) -> list[int]:
    """When the frames that are stored whole are shown, in ticks of the stream, ascending; nothing is decoded.

    From the container's position to the first one after the time `last`.
    """
    found = []
    for packet in container.demux(stream):
        if packet.is_keyframe and packet.pts is not None:
            found.append(packet.pts)
            if packet.pts > last:
                break
    return sorted(found)


def scene_times(container: Any, stream: Any, threshold: float, first: float, last: float) -> list[int]:
    """When scenes begin between two times, in ticks of the stream: the first frame, and each that differs from
    the one before it.

    By the scene score of FFmpeg's `select` filter (0 to 1; 0.3 to 0.5 is usual) on frames scaled to 160 pixels
    width. Every frame from the container's position on is decoded, up to the last time.
    """
    import av

    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(template=stream),
        graph.add("scale", f"{_SCENE_WIDTH}:-2"),
        graph.add("select", f"eq(n,0)+gt(scene,{threshold!r})"),
        graph.add("buffersink"),
    ).configure()
    found: list[int] = []
    for frame in container.decode(stream):
        if frame.pts is None or frame.pts < first:
            continue
        if frame.pts > last:
            break
        graph.push(frame)
        found += _pulled(graph)
    graph.push(None)
    return found + _pulled(graph)


def _pulled(graph: Any) -> list[int]:
    import av

    found = []
    while True:
        try:
            found.append(graph.vpull().pts)
        except (BlockingIOError, av.error.EOFError):  # nothing there yet, or nothing any more
            return found
