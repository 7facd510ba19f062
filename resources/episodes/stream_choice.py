"""The model's own choice of what stays in its context: what it is asked, how its answer is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from resources.episodes.base import Turn, opened
from resources.episodes.stream_context import Context
from resources.episodes.stream_frames import Frame
from resources.episodes.stream_script import Question
from resources.models.base import Message, Part, Response

REPAIRS = 2  # answers in a row that choose nothing and get told so


class Chosen(Context):
    """What the model wants to keep: whenever `budget` frames are there and another comes, half of them may stay.

    So it is asked once for every half of the budget, and never shown more than the budget.
    """

    def __init__(self, budget: int) -> None:
        self._budget, self.room = budget, budget // 2
        self._kept: list[Frame] = []

    @property
    def full(self) -> bool:
        """Whether the model must choose before another frame is added."""
        return len(self._kept) >= self._budget

    def add(self, frame: Frame) -> None:
        self._kept.append(frame)

    def frames(self, question: str) -> list[Frame]:
        return list(self._kept)

    def keep(self, numbers: Sequence[int]) -> None:
        """numbers: of the frames that stay, from 1, in order."""
        self._kept = [self._kept[number - 1] for number in numbers]


@dataclass(slots=True)
class Choice:
    """One choice under way.

    said: the words behind the frames. room: how many may stay. chosen: their numbers, once an answer held some.
    """

    instructions: tuple[Message, ...]
    frames: Sequence[Frame]
    room: int
    said: str
    timestamps: bool
    seed: str
    to_come: Sequence[Question]
    chosen: tuple[int, ...] | None = None
    problem: str = ""
    _replies: list[Message] = field(default_factory=list)

    @property
    def newest(self) -> tuple[int, ...]:
        """What stays where the model chose nothing."""
        return tuple(range(len(self.frames) - self.room + 1, len(self.frames) + 1))

    def turn(self) -> Turn:
        """The question, and behind it the answers so far that chose nothing, with what was wrong."""
        parts: list[Part] = []
        for number, frame in enumerate(self.frames):
            time = f" [{frame.time:.1f} s]" if self.timestamps else ""
            parts += [("text", f"{number + 1}{time}:"), ("media", number)]
        asked = opened(self.instructions, *parts, ("text", self.said))
        times = [round(f.time, 3) for f in self.frames]
        return Turn(
            (*asked, *self._replies), tuple(f.media for f in self.frames),
            {"time": self.frames[-1].time, "kind": "choice", "asked": "what stays", "frames": times}, self._scripted,
        )  # fmt: skip

    def read(self, response: Response) -> None:
        self.chosen, self.problem = read_choice(response, len(self.frames), self.room)
        if self.chosen is None:
            told = f"{self.problem} Answer with at most {self.room} numbers from 1 to {len(self.frames)}, and no words."
            self._replies += [Message("assistant", (("text", response.text),)), Message("user", (("text", told),))]

    def _scripted(self, policy: str) -> str | None:
        """What a baseline keeps. `oracle` knows the answers anyway, and keeps the newest. `observer` is shown what the
        questions to come take, a frame of each: what the best choice could do with this room.
        """
        numbers: Sequence[int] = self.newest
        if policy == "random":
            numbers = sorted(Random(self.seed).sample(range(1, len(self.frames) + 1), self.room))  # noqa: S311
        elif policy == "observer":
            numbers = self._needed()
        return " ".join(map(str, numbers))

    def _needed(self) -> list[int]:
        kept: list[int] = []
        for question in sorted(self.to_come, key=lambda q: q.time):
            first, last = question.evidence or (0.0, -1.0)
            showing = [n for n, f in enumerate(self.frames, 1) if first <= f.time <= last]
            if showing and not set(showing) & set(kept):
                kept.append(showing[0])
        filled = dict.fromkeys([*kept, *reversed(range(1, len(self.frames) + 1))])
        return sorted(list(filled)[: self.room])


def read_choice(response: Response, count: int, room: int) -> tuple[tuple[int, ...] | None, str]:
    """The numbers in the last line that holds any, in order; None, and what is wrong with the answer."""
    lines = [found for line in response.text.splitlines() if (found := re.findall(r"\d+", line))]
    if response.finish_reason == "length":
        return None, "The answer was cut off."
    if not lines:
        return None, "The answer named no picture."
    numbers = sorted({int(number) for number in lines[-1]})
    if numbers[0] < 1 or numbers[-1] > count:
        return None, f"The pictures have the numbers 1 to {count}."
    if len(numbers) > room:
        return None, f"The answer named {len(numbers)} pictures, and there is room for {room}."
    return tuple(numbers), ""
