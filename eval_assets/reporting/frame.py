"""What plots over training steps share: axes with their ticks, and a label beside a dashed level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval_assets.reporting.axes import Axis, ticks
from eval_assets.reporting.svg import line, text
from eval_assets.reporting.words import count, direction


@dataclass(frozen=True, slots=True)
class Frame:
    """Margins and size in pixels; below: what the horizontal axis is of."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    below: str

    def axes(
        self,
        steps: Sequence[float],
        low: float,
        high: float,
        title: str,
        *,
        signed: bool = False,
        lowered: int = 0,
        marks: Mapping[float, str] | None = None,
    ) -> tuple[Axis, Axis, list[str]]:
        """Both axes with gridlines, ticks and labels. lowered: pixels between the title and the highest value.

        marks: what is written below which steps, in place of round numbers.
        """
        first, last = min(steps), max(steps)
        edge = 0.03 * (last - first) or 0.5
        x = Axis(first - edge, last + edge, self.left, self.width - self.right)
        y = Axis(low, high, self.height - self.bottom, self.top + lowered)
        parts = [text("soft", 4, 15, title)]
        for t in ticks(low, high, 5):
            parts.append(line("grid", self.left, y(t), self.width - self.right, y(t)))
            parts.append(text("soft", self.left - 8, y(t) + 4, tick(t, signed=signed), anchor="end"))
        parts.append(self.level("axis", y(low)))
        if marks is None:
            marks = {t: count(t) for t in ticks(first, last, 5, whole=True) or [first]}
        for t, said in marks.items():
            parts.append(line("axis", x(t), y(low), x(t), y(low) + 4))
            parts.append(text("soft", x(t), y(low) + 18, said, anchor="middle"))
        middle = (self.left + self.width - self.right) / 2
        parts.append(text("soft", middle, self.height - 6, self.below, anchor="middle"))
        return x, y, parts

    def level(self, look: str, at: float) -> str:
        """A line from side to side."""
        return line(look, self.left, at, self.width - self.right, at)

    def level_label(self, label: str, at: float, *, at_left: bool) -> str:
        """Above a level, or below it where the title would be in the way."""
        above = at - 6 if at > self.top + 16 else at + 15
        side = self.left + 4 if at_left else self.width - self.right
        return text("reftext", side, above, label, anchor="start" if at_left else "end")


def tick(value: float, *, signed: bool = False) -> str:
    text = f"{value:+g}" if signed and value else f"{value:g}"
    return text.replace("-", "−")


def titled(title: str, higher_is_better: Any) -> str:
    """With `lower is better` where that is so."""
    lower = direction(higher_is_better)
    return f"{title} ({lower})" if lower else title
