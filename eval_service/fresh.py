"""What many requests need at a time and what changes seldom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Fresh(Generic[T]):
    """Values by key, made anew when they are older than some seconds.

    By one of those who ask: fifty submissions that find a value too old do not read the store fifty times. What
    `make` raises is raised to who asked and not remembered.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._values: dict[str, tuple[float, T]] = {}

    def get(self, key: str, make: Callable[[], T]) -> T:
        with self._lock:
            now = time.monotonic()
            self._values = {k: v for k, v in self._values.items() if now - v[0] < self._seconds}
            if key not in self._values:
                self._values[key] = now, make()
            return self._values[key][1]
