"""From numbers to places on paper."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Axis(NamedTuple):
    """A linear scale: `low` is drawn at `start`, `high` at `end` (pixels)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def padded(values: Iterable[float], within: tuple[float, float] | None = None) -> tuple[float, float]:
    """A range that holds all finite values with some air; `within` bounds only the air, never a value."""
    known = [v for v in values if math.isfinite(v)]
    if not known:
        return within or (0.0, 1.0)
    low, high = min(known), max(known)
    air = 0.07 * (high - low) or 1.0
    if within is None:
        return low - air, high + air
    return min(low, max(low - air, within[0])), max(high, min(high + air, within[1]))


def ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """At most about `most` round numbers from low to high. whole: integers only."""
    if not high > low:
        return []
    size = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(size * m for m in (1, 2, 2.5, 5, 10, 20) if (high - low) / (size * m) <= most)
    if whole:
        step = max(1.0, math.ceil(step))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]
