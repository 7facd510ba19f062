"""Seconds in which an engine could have worked and did not."""

from __future__ import annotations

import time


class IdleClock:
    """Runs while it is told to: while the engine is ready, somebody wants it, and no request is under way."""

    def __init__(self) -> None:
        self._before = 0.0
        self._since: float | None = None

    def run(self, idle: bool) -> None:
        """From now on it runs, or stands."""
        self._before = self.seconds
        self._since = time.monotonic() if idle else None

    @property
    def seconds(self) -> float:
        return self._before + (0.0 if self._since is None else time.monotonic() - self._since)
