"""A cell's episodes in a page: how they ended, how long they were, some of them as films."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from eval_assets.reporting.axes import Axis, ticks
from eval_assets.reporting.svg import WIDTH, bar, line, short, svg, text
from eval_assets.reporting.words import count, percent

_ROW, _LETTER = 24, 6.9
_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 220, 48, 16, 26, 44
_BINS = 20


def end_plot(ends: Mapping[str, int]) -> str:
    """Bars: in how many episodes what happened, success first, then kinds of failure, most frequent first."""
    rows = sorted(ends.items(), key=lambda row: (row[0] != "success", -row[1], row[0]))
    total = sum(ends.values())
    left = max(len(short(_words(name))) for name, _ in rows) * _LETTER + 14
    said = {name: f"{count(n)} ({percent(n / total)} %)" for name, n in rows}
    right = WIDTH - 16 - _LETTER * max(map(len, said.values()))
    x = Axis(0, max(ends.values()), left, right)
    parts = [line("axis", left, 8, left, 8 + _ROW * len(rows))]
    for i, (name, n) in enumerate(rows):
        y = 8 + _ROW * i
        parts += [
            text("text", left - 10, y + 16, short(_words(name)), anchor="end", strong=name == "success"),
            bar(left, y + 4, x(n) - left, _ROW - 8, f"{_words(name)}: {said[name]}"),
            text("text", x(n) + 6, y + 16, said[name]),
        ]
    return svg(
        16 + _ROW * len(rows), parts, "How episodes ended. " + "; ".join(f"{_words(n)}: {s}" for n, s in said.items())
    )


def steps_plot(steps: Sequence[Sequence[int]]) -> str:
    """A histogram of the requests that episodes took. steps: [number, succeeded, others], in order."""
    low, high = steps[0][0], steps[-1][0]
    width = max(1, -(-(high - low + 1) // _BINS))
    bins = [0] * ((high - low) // width + 1)
    for number, *counts in steps:
        bins[(number - low) // width] += sum(counts)
    x = Axis(low, low + width * len(bins), _LEFT, WIDTH - _RIGHT)
    y = Axis(0.0, float(max(bins)), _HEIGHT - _BOTTOM, _TOP)
    parts = [text("soft", 4, 15, "episodes")]
    for t in ticks(0.0, float(max(bins)), 4, whole=True):
        parts += [
            line("grid", _LEFT, y(t), WIDTH - _RIGHT, y(t)),
            text("soft", _LEFT - 8, y(t) + 4, count(t), anchor="end"),
        ]
    for i, n in enumerate(bins):
        first, last = low + width * i, low + width * (i + 1) - 1
        span = f"{first}" if first == last else f"{first} to {last}"
        parts.append(bar(x(first) + 1, y(n), x(last + 1) - x(first) - 2, y(0) - y(n), f"{span} steps: {count(n)}"))
    parts.append(line("axis", _LEFT, y(0), WIDTH - _RIGHT, y(0)))
    for t in ticks(low, low + width * len(bins) - 1, 6, whole=True) or [low]:
        parts.append(
            text("soft", (x(t) + x(t + width)) / 2 if width == 1 else x(t), y(0) + 18, count(t), anchor="middle")
        )
    parts.append(text("soft", (_LEFT + WIDTH - _RIGHT) / 2, _HEIGHT - 6, "steps of an episode", anchor="middle"))
    return svg(_HEIGHT, parts, "Steps of episodes")


def figures(block: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(plot, caption) of a report's block `episodes`."""
    found = [(end_plot(block["ends"]), "How episodes ended: success, or the kind of failure.")]
    if block["steps"]:
        succeeded, others = (sum(row[i] for row in block["steps"]) for i in (1, 2))
        said = f"Steps of {count(succeeded + others)} episodes, of which {count(succeeded)} succeeded."
        found.append((steps_plot(block["steps"]), said))
    return found


def data_url(gif: bytes) -> str:
    return "data:image/gif;base64," + base64.b64encode(gif).decode("ascii")


def _words(name: str) -> str:
    return name.replace("_", " ")
