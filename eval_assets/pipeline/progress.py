"""How far a cell is: a line every few seconds in the log, a bar where there is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


class Progress:
    """Counts answers and says rate, time left and errors.

    total: answers that the cell needs; log: takes a line; every: seconds between lines.
    """

    def __init__(self, title: str, total: int, log: Callable[[str], None], every: float = 5.0) -> None:
        self._title, self._total, self._log, self._every = title, total, log, every
        self.done = self.kept = self.errors = 0
        self._started = self._said = time.monotonic()  # anew with the first answer: a start is no slow answer
        self._bar = _bar(title, total) if sys.stderr.isatty() else None

    def already(self, count: int = 1) -> None:
        """Answers that were stored before."""
        self.kept += count
        self._show()

    def answered(self, failed: bool = False) -> None:
        if not self.done and not self.errors:
            self._started = self._said = time.monotonic()
        self.done += not failed
        self.errors += failed
        self._show()

    def line(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = self.done / seconds
        left = max(0, self._total - self.kept - self.done - self.errors)
        eta = f", {left / rate:.0f} s left" if rate and left else ""
        errors = f", {self.errors} failed" if self.errors else ""
        return f"{self._title}: {self.kept + self.done} of {self._total} answers, {rate:.1f}/s{eta}{errors}"

    def _show(self) -> None:
        if self._bar is not None:
            self._bar(self.kept + self.done)
        now = time.monotonic()
        if now - self._said >= self._every:
            self._said = now
            self._log(self.line())


def _bar(title: str, total: int) -> Callable[[int], None]:
    from tqdm import tqdm

    bar = tqdm(total=total, desc=title, unit=" answers", leave=False, mininterval=0.2)

    def move(count: int) -> None:
        bar.update(count - bar.n)
        if count >= total:
            bar.close()

    return move
