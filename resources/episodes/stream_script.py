"""What is asked of a stream and when, as an item's row says it."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any


class BadScript(ValueError):
    """The row's questions or events are not such as can be played; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Question:
    """Asked once, at `time` (seconds). evidence: from when to when the stream shows what the answer takes."""

    name: str
    kind: str
    time: float
    text: str
    answer: Any
    options: tuple[str, ...] = ()
    evidence: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the model must tell by itself: it is asked at every tick from `start` until it is over.

    at: when it happens (seconds); None: it never does. until: the last second that it is asked; None: to the end.
    """

    name: str
    kind: str
    text: str
    at: float | None
    start: float = 0.0
    until: float | None = None

    def asked_at(self, time: float) -> bool:
        return self.start <= time and (self.until is None or time <= self.until)


@dataclass(frozen=True, slots=True)
class Script:
    questions: tuple[Question, ...]
    events: tuple[Event, ...]

    @property
    def latest(self) -> tuple[float, str]:
        """The last time that the row names, and what of."""
        times = [(q.time, q.name) for q in self.questions] + [(max(e.start, e.at or 0.0), e.name) for e in self.events]
        return max(times, default=(0.0, ""))

    def moments(self, every: float, length: float | None) -> Iterator[tuple[float, list[Question | Event]]]:
        """Times in order, each with all that may be asked then; events at 0, every, 2 every ... up to `length`.

        Without a length there is no end of them where an event has none: who reads it knows when the stream is over.
        """
        asked = [(q.time, [q]) for q in sorted(self.questions, key=lambda q: q.time)]
        ticks = ((t, [e for e in self.events if e.asked_at(t)]) for t in self._ticks(every, length))
        yield from heapq.merge(asked, ticks, key=lambda moment: moment[0])

    def _ticks(self, every: float, length: float | None) -> Iterator[float]:
        if not self.events:
            return
        ends = [e.until for e in self.events if e.until is not None]
        until = max(ends) if len(ends) == len(self.events) else math.inf
        for tick in count():
            time = tick * every
            if time > until or (length is not None and time >= length - 1e-9):
                return
            yield time


def read_script(doc: Mapping[str, Any], kinds: Sequence[str]) -> Script:
    """The fields `questions` and `events` of a row; kinds: those that there may be. Raises BadScript."""
    questions = tuple(_question(f"questions.{i}", row) for i, row in enumerate(doc.get("questions") or ()))
    events = tuple(_event(f"events.{i}", row) for i, row in enumerate(doc.get("events") or ()))
    if not questions and not events:
        raise BadScript("the row has neither `questions` nor `events`: nothing is asked of this stream")
    for asked in (*questions, *events):
        if asked.kind not in kinds:
            raise BadScript(f"{asked.name}: kind {asked.kind!r} is none of {', '.join(kinds)} (params.kinds)")
    return Script(questions, events)


def _question(name: str, row: Mapping[str, Any]) -> Question:
    if row.get("answer") is None:
        raise BadScript(f"{name} has no `answer`")
    span = row.get("evidence")
    return Question(
        name, str(row.get("kind") or "present"), _seconds(row.get("time"), f"{name}.time"), _text(row, name),
        row["answer"], tuple(map(str, row.get("options") or ())),
        None if span is None else (_seconds(span[0], f"{name}.evidence"), _seconds(span[1], f"{name}.evidence")),
    )  # fmt: skip


def _event(name: str, row: Mapping[str, Any]) -> Event:
    if "at" not in row:
        raise BadScript(f"{name} has no `at`: seconds, or null for an event that never comes")
    at, until = row["at"], row.get("until")
    return Event(
        name, str(row.get("kind") or "proactive"), _text(row, name),
        None if at is None else _seconds(at, f"{name}.at"), _seconds(row.get("from") or 0, f"{name}.from"),
        None if until is None else _seconds(until, f"{name}.until"),
    )  # fmt: skip


def _text(row: Mapping[str, Any], name: str) -> str:
    if not isinstance(row.get("question"), str) or not row["question"].strip():
        raise BadScript(f"{name} has no `question`")
    return str(row["question"])


def _seconds(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise BadScript(f"{name}: expected seconds from 0 on, found {value!r}")
    return float(value)
