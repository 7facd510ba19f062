"""How many requests are open at once: fewer while an endpoint is overloaded, more again when it is not."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Self

_HALF = 0.5  # what an overload leaves
_TRY = 0.7  # what slow answers leave, on trial
_SLOW = 2.0  # times the best median so far
_HELD = 0.9  # of the rate before the cut: then the cut cost nothing
_WINDOW = 64  # answers in a window, at least; and four for each request in flight
_QUIET = 10.0  # seconds between lines


@dataclass(frozen=True, slots=True)
class _Trial:
    limit: float
    rate: float
    slow: float


class AdaptiveLimit:
    """A bound between 1 and `most` on what is open within `async with`.

    Additive increase, multiplicative decrease (Jacobson 1988, as in TCP): an overload (`overloaded`)
    halves it, once for a burst of refusals; each round of answers since (`answered`) adds one. So a
    healthy endpoint always has `most`.

    Rising latency: when the median over a window (four answers for each place, at least 64) has doubled
    against the best window, 0.7 of the places are tried. By Little's law a queue at the endpoint then
    gets shorter at the same rate, and the cut stays. Where the rate falls, the answers are slow for a
    reason of their own (longer ones, larger pictures): the cut is taken back and this median is the
    normal one from then on.

    name: whose requests, for the log; log: gets a line on a change, at most one in ten seconds, and one
    when all places are in use again.
    """

    def __init__(
        self,
        most: int,
        *,
        name: str = "",
        log: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most, self.limit, self.least = most, float(most), most
        self.overloads = self.slowdowns = 0
        self._name, self._log, self._clock = name, log, clock
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._cut_at = self._said_at = float("-inf")
        self._said = False
        self._seconds: list[float] = []
        self._since = clock()
        self._best = float("inf")
        self._trial: _Trial | None = None
        self._settling = False

    async def __aenter__(self) -> Self:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # a place was given to it meanwhile
                self._leave()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self._open -= 1
        self._admit()

    def _admit(self) -> None:
        """Free places go to those that have waited longest.

        One that comes back from a refusal stands in line again: else the same few would use up their
        attempts while others wait.
        """
        while self._waiting and self._open < int(self.limit):
            turn = self._waiting.popleft()
            if not turn.done():  # else it was cancelled
                self._open += 1
                turn.set_result(None)

    def overloaded(self, began: float, why: str) -> None:
        """An attempt that began then (seconds of the clock) was refused because there are too many."""
        self.overloads += 1
        if began < self._cut_at:  # of the burst that has been answered for
            return
        self._trial = None
        self._cut(_HALF, why)

    def answered(self, began: float, seconds: float) -> None:
        """An attempt that began then was answered after so many seconds."""
        if self.limit < self.most and began >= self._cut_at and self._trial is None:
            before = int(self.limit)
            self.limit = min(float(self.most), self.limit + 1 / self.limit)
            if int(self.limit) > before:
                self._admit()
                if self.limit >= self.most and self._said:
                    self._said = False
                    self._log(f"{self._name}: {self.most} requests in flight again")
        self._seconds.append(seconds)
        if len(self._seconds) >= max(_WINDOW, 4 * int(self.limit)):
            self._look()

    @property
    def observed(self) -> dict[str, Any]:
        """What it did; empty where nothing happened."""
        if not (self.overloads or self.slowdowns):
            return {}
        counts = {"overloads": self.overloads, "slowdowns": self.slowdowns}
        return {"most": self.most, "least": self.least, "last": int(self.limit), **counts}

    def _look(self) -> None:
        """At a window that is full."""
        slow, rate = median(self._seconds), len(self._seconds) / max(self._clock() - self._since, 1e-9)
        self._renew()
        if self._settling:  # requests from before the cut were among them
            self._settling = False
        elif self._trial is not None:
            trial, self._trial = self._trial, None
            if rate < _HELD * trial.rate:
                self.limit, self._best = trial.limit, trial.slow
                self._admit()
        elif slow > _SLOW * self._best and self.limit > 1:
            self.slowdowns += 1
            trial = _Trial(self.limit, rate, slow)
            self._cut(_TRY, f"answers take {slow:.1f} s, {slow / self._best:.1f} times as long as at best")
            self._trial, self._settling = trial, True
        else:
            self._best = min(self._best, slow)

    def _cut(self, share: float, why: str) -> None:
        before = int(self.limit)
        self.limit = max(1.0, self.limit * share)
        self.least = min(self.least, int(self.limit))
        self._cut_at = self._clock()
        self._settling = False
        self._renew()
        if int(self.limit) < before and self._cut_at - self._said_at >= _QUIET:
            self._said, self._said_at = True, self._cut_at
            self._log(f"{self._name}: {why}: {before} -> {int(self.limit)} requests in flight")

    def _renew(self) -> None:
        self._seconds, self._since = [], self._clock()
