"""Which of the frames seen so far stand in a request: what a budget of frames is spent on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from resources.episodes.stream_frames import Frame


class Context(ABC):
    """Fed every frame once, in order. The newest frame is always among those that are shown."""

    @abstractmethod
    def add(self, frame: Frame) -> None: ...

    @abstractmethod
    def frames(self, question: str) -> list[Frame]:
        """What a request with this question shows now, in order of time."""

    def close(self) -> None:  # noqa: B027 - most hold nothing but frames
        """Give back what was held."""


class Window(Context):
    """The latest `budget` frames."""

    def __init__(self, budget: int) -> None:
        self._kept: deque[Frame] = deque(maxlen=budget)

    def add(self, frame: Frame) -> None:
        self._kept.append(frame)

    def frames(self, question: str) -> list[Frame]:
        return list(self._kept)


class Thinning(Context):
    """Evenly over everything so far: frames 0, s, 2s, ... and the newest.

    s is the smallest power of two that keeps them within the budget, so that no frame that was given up is needed
    again: between half of the budget and all of it is used, and memory is flat.
    """

    def __init__(self, budget: int) -> None:
        self._most, self._step = budget - 1, 1
        self._kept: list[Frame] = []
        self._newest: Frame | None = None

    def add(self, frame: Frame) -> None:
        before, self._newest = self._newest, frame
        if self._most and before is not None and before.number % self._step == 0:
            self._kept.append(before)
        while len(self._kept) > self._most:
            self._step *= 2
            self._kept = [f for f in self._kept if f.number % self._step == 0]

    def frames(self, question: str) -> list[Frame]:
        return [*self._kept, *([self._newest] if self._newest else [])]


class Changes(Context):
    """The frames that differ most from the one before them (first frames of scenes come first), and the newest.

    It looks at pictures alone and at no question: what does not move the picture much is given up, whatever is asked
    about it later. Of equal changes the earlier frame stays.
    """

    def __init__(self, budget: int) -> None:
        self._most = budget - 1
        self._kept: list[Frame] = []
        self._newest: Frame | None = None

    def add(self, frame: Frame) -> None:
        if self._newest is not None:
            ranked = sorted([*self._kept, self._newest], key=lambda f: (-f.change, f.number))
            self._kept = sorted(ranked[: self._most], key=lambda f: f.number)
        self._newest = frame

    def frames(self, question: str) -> list[Frame]:
        return [*self._kept, *([self._newest] if self._newest else [])]


class Everything(Context):
    """All frames so far: where it ends is the model's own context."""

    def __init__(self, budget: int) -> None:
        self._kept: list[Frame] = []

    def add(self, frame: Frame) -> None:
        self._kept.append(frame)

    def frames(self, question: str) -> list[Frame]:
        return list(self._kept)
