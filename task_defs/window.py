"""The part of a video that a question is about, from its row."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from task_defs.media_spec import VideoSpec
from task_defs.rules import reader
from task_defs.templates import Doc

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)")

TIMES = ("start", "end", "around")  # fields of `video` that a row's times are read by
Window = Mapping[str, float]  # `start`, `end` in seconds from the video's beginning; a limit that is absent is none


def window_rule(video: VideoSpec) -> Callable[[Doc], Window] | None:
    """The window of a row; None where the task names none."""
    readers = {name: reader(rule) for name in TIMES if (rule := getattr(video, name)) is not None}
    if not readers:
        return None

    def window(doc: Doc) -> Window:
        read = {name: seconds(value(doc), name) for name, value in readers.items()}
        found = {name: value for name, value in read.items() if value is not None}
        if "around" in readers:
            return _around(read["around"], video.seconds or 0.0)
        if found.get("end", math.inf) <= found.get("start", 0.0):
            raise ValueError(f"the part of the video ends at {found['end']} s and begins at {found.get('start', 0)} s")
        return found

    return window


def _around(time: float | None, length: float) -> Window:
    if time is None:
        raise ValueError("this row has no time for `around`: give it one, or leave the row out")
    return {"start": max(0.0, time - length / 2), "end": time + length / 2}


def seconds(value: Any, name: str = "a time") -> float | None:
    """Seconds from a number, its text, or a clock's "mm:ss", "h:mm:ss.5"; null or empty: none.

    Raises ValueError for anything else, a negative time included.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str) and (clock := _CLOCK.fullmatch(value.strip())):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found < math.inf:
        raise ValueError(f"expected seconds or h:mm:ss for {name}, found {value!r}")
    return found
