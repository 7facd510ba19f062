"""Frames that were taken lately, so that questions on overlapping parts of a video share them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from resources.video import Shot

CACHE_BYTES = 64 * 2**20


class FrameCache:
    """Encoded frames by video and time, those used longest ago dropped beyond so many bytes. For several threads."""

    def __init__(self, most: int = CACHE_BYTES) -> None:
        self._most, self._bytes = most, 0
        self._shots: OrderedDict[tuple[str, int], Shot] = OrderedDict()
        self._guard = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}

    def of(self, sha: str) -> FramesOfVideo:
        return FramesOfVideo(self, sha)

    def decoding(self, sha: str) -> threading.Lock:
        """Held while a video's frames are taken: a second part of it would decode the same ones beside it."""
        with self._guard:
            return self._busy.setdefault(sha, threading.Lock())

    def get(self, sha: str, ticks: int) -> Shot | None:
        with self._guard:
            shot = self._shots.get((sha, ticks))
            if shot is not None:
                self._shots.move_to_end((sha, ticks))
            return shot

    def put(self, sha: str, ticks: int, shot: Shot) -> None:
        with self._guard:
            if (sha, ticks) not in self._shots:
                self._shots[sha, ticks] = shot
                self._bytes += len(shot.made.data)
            while self._bytes > self._most:
                self._bytes -= len(self._shots.popitem(last=False)[1].made.data)


@dataclass(frozen=True, slots=True)
class FramesOfVideo:
    """One video's frames by the time that they were taken for, as `frames_of` looks them up."""

    cache: FrameCache
    sha: str

    def get(self, ticks: int) -> Shot | None:
        return self.cache.get(self.sha, ticks)

    def put(self, ticks: int, shot: Shot) -> None:
        self.cache.put(self.sha, ticks, shot)
