"""What a stream came to: sums that metrics are ratios of, and a line for each question and event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from resources.episodes.base import Outcome
from resources.models.base import Response

# Why a stream was not all right: the first of these that happened.
_FAILURES = ("context", "budget", "false_alarm", "missed", "late", "perception")


class Tally:
    """Counts as it goes; kinds: those that have sums of their own."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self.lines: list[dict[str, Any]] = []
        self._kinds = kinds
        self._sums = dict.fromkeys(
            (
                "right", "asked", "events", "detected", "missed", "latency", "false_alarms", "quiet",
                "steps", "frames", "tokens", "token_steps", "cached", "cached_of", "seconds", "timed", "kept_up",
                "stream_seconds", "choices", "unchosen",
                *(f"{sum}_{kind}" for kind in kinds for sum in ("right", "asked")),
            ),
            0.0,
        )  # fmt: skip
        self._failures: set[str] = set()

    def step(self, response: Response, frames: int) -> float | None:
        """One request; its seconds where they were measured."""
        self.add(steps=1, frames=frames)
        if (tokens := response.usage.get("prompt_tokens")) is not None:
            self.add(tokens=tokens, token_steps=1)
            if (cached := response.usage.get("cached_tokens")) is not None:
                self.add(cached=cached, cached_of=tokens)
        return response.timings.get("total")

    def moment(self, seconds: Sequence[float | None], allowed: float) -> None:
        """All requests of one moment, one after the other: they kept up if the next tick did not come meanwhile."""
        known = [s for s in seconds if s is not None]
        if known and len(known) == len(seconds):
            self.add(seconds=sum(known), timed=1, kept_up=sum(known) <= allowed, stream_seconds=allowed)

    def item(self, kind: str, right: float, failure: str, **line: Any) -> None:
        """The end of a question or an event."""
        self.add(**{"right": right, "asked": 1, f"right_{kind}": right, f"asked_{kind}": 1})
        if failure:
            self._failures.add(failure)
        self.lines.append({"kind": kind, "right": right, "failure": failure, **line})

    def add(self, **more: float) -> None:
        for name, value in more.items():
            self._sums[name] += value

    def outcome(self) -> Outcome:
        values: Mapping[str, float | None] = self._sums
        failure = next((f for f in _FAILURES if f in self._failures), "")
        return Outcome(self._sums["right"] / self._sums["asked"], values, failure, details={"asked": self.lines})
