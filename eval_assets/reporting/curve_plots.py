"""Plots of learning curves: levels with their intervals, differences with their band, two runs together.

Two runs are told apart by colour, by shape of the marks and by dashes, so that no reader needs the colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from eval_assets.reporting.axes import Axis, padded
from eval_assets.reporting.curve_marks import Marks, Point, all_said, band_marks, level_marks, points_of
from eval_assets.reporting.frame import Frame, titled
from eval_assets.reporting.svg import band, dot, line, nothing, path, short, svg, text
from eval_assets.reporting.words import with_interval

Data = Mapping[str, Any]
WIDTH = 520
_FRAME = Frame(width=WIDTH, height=290, left=48, right=26, top=38, bottom=44, below="training step")
_LETTER = 6.9  # mean width of a letter at 12 px, pixels
_OTHER_LINE = 'stroke="#d55e00" stroke-width="1.5" stroke-opacity="0.7" stroke-dasharray="6 3" fill="none"'
_OTHER_BAR = 'stroke="#d55e00" stroke-width="1.5"'
_OTHER_MARK = 'fill="#ffffff" stroke="#d55e00" stroke-width="1.5"'


def level_plot(curve: Data) -> str:
    """Score by step with its own interval; filled where the checkpoint could be the best, hollow where not.

    curve: a task's entry of the learning curve's data.
    """
    return drawn(level_marks(curve))


def band_plot(points: Sequence[Data], steps: Sequence[float], *, higher_is_better: bool = True) -> str:
    """Paired differences by step: each one's own interval as a bar, the simultaneous band as a shade.

    points, steps: as `band_marks` takes them. Filled: survives correction.
    """
    return drawn(band_marks(points, steps, higher_is_better=higher_is_better))


def drawn(marks: Marks) -> str:
    """The plot as SVG."""
    found = marks.points
    if not found:
        return nothing(marks.described)
    x, y, parts = _FRAME.axes(marks.span, *marks.ends, marks.title, signed=marks.signed)
    parts += _band(found, x, y)
    if marks.signed:
        parts.append(_FRAME.level("axis", y(0)))
    parts += _line_through(found, x, y)
    if marks.level:
        parts.append(_FRAME.level("ref", y(marks.level[1])))
    for p in found:
        parts += _whisker(p, x(p.step), y, "dot" if p.filled else "hollow")
        if p.best:
            top = max(v for v in (p.high, p.value) if math.isfinite(v))
            parts.append(text("text", x(p.step), y(top) - 6, "best", anchor="middle", strong=True))
    if marks.level:
        parts.append(_reference_label(*marks.level, found, y))
    return svg(_FRAME.height, parts, marks.described, WIDTH)


def two_runs_plot(task: Data) -> str:
    """The levels of two runs on one task, by step. task: an entry of the comparison's data."""
    (run_a, side_a), (run_b, side_b) = task["runs"].items()
    a, b = (points_of(side, "value", with_interval) for side in (side_a, side_b))
    if not a or not b:
        return nothing("no score by step")
    low, high = padded([v for p in (*a, *b) for v in p.ends], within=(0.0, 100.0))
    title = titled(f"{task['metric']}, %", task["higher_is_better"])
    x, y, parts = _FRAME.axes([p.step for p in (*a, *b)], low, high, title, lowered=16)
    parts += _line_through(b, x, y, _other_path) + _line_through(a, x, y)
    for p in b:
        parts += _other_whisker(p, x(p.step) + 2.5, y)
    for p in a:
        parts += _whisker(p, x(p.step) - 2.5, y, "dot")
    parts += _legend(run_a, run_b)
    return svg(_FRAME.height, parts, f"{task['metric']} by step. {run_a}: {all_said(a)}. {run_b}: {all_said(b)}", WIDTH)


def _legend(run_a: str, run_b: str) -> list[str]:
    middle, y = WIDTH / 2 + 10, 35
    most = int((middle - _FRAME.left - 30) / _LETTER)
    return [
        dot("dot", _FRAME.left + 6, y - 4, ""),
        text("text", _FRAME.left + 16, y, short(run_a, most), whole=run_a),
        _square(middle + 6, y - 4, ""),
        text("text", middle + 16, y, short(run_b, most), whole=run_b),
    ]


def _stretches(found: Sequence[Point], known: Callable[[Point], bool]) -> list[list[Point]]:
    """Neighbours that are known: nothing is drawn across what was not measured."""
    return [list(group) for is_known, group in groupby(found, known) if is_known]


def _line_through(
    found: Sequence[Point], x: Axis, y: Axis, draw: Callable[[list[tuple[float, float]]], str] = path
) -> list[str]:
    stretches = _stretches(found, lambda p: math.isfinite(p.value))
    return [draw([(x(p.step), y(p.value)) for p in stretch]) for stretch in stretches if len(stretch) > 1]


def _band(found: Sequence[Point], x: Axis, y: Axis) -> list[str]:
    parts = []
    for stretch in _stretches(found, lambda p: math.isfinite(p.band_low + p.band_high)):
        # One checkpoint alone still has a width on paper.
        half = 6 if len(stretch) == 1 else 0
        upper = [(x(p.step) + side, y(p.band_high)) for p in stretch for side in ((-half, half) if half else (0,))]
        lower = [(x(p.step) + side, y(p.band_low)) for p in stretch for side in ((-half, half) if half else (0,))]
        parts.append(band(upper, lower))
    return parts


def _whisker(p: Point, at: float, y: Axis, look: str) -> list[str]:
    if not math.isfinite(p.value):
        return []
    bar = [line("bar", at, y(p.low), at, y(p.high))] if math.isfinite(p.low + p.high) else []
    return [*bar, dot(look, at, y(p.value), p.said)]


def _other_whisker(p: Point, at: float, y: Axis) -> list[str]:
    if not math.isfinite(p.value):
        return []
    ends = f'x1="{at:.1f}" y1="{y(p.low):.1f}" x2="{at:.1f}" y2="{y(p.high):.1f}"'
    bar = [f'<line class="pl-otherbar" {_OTHER_BAR} {ends}/>'] if math.isfinite(p.low + p.high) else []
    return [*bar, _square(at, y(p.value), p.said)]


def _other_path(at: Sequence[tuple[float, float]]) -> str:
    return f'<polyline class="pl-otherline" {_OTHER_LINE} points="{_joined(at)}"/>'


def _square(x: float, y: float, said: str) -> str:
    at = f'x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"'
    return f'<rect class="pl-other" {_OTHER_MARK} {at}>{f"<title>{said}</title>" if said else ""}</rect>'


def _joined(at: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in at)


def _reference_label(label: str, level: float, found: Sequence[Point], y: Axis) -> str:
    """Beside the dashed line, at the end where the curve is farther away."""
    known = [p.value for p in found if math.isfinite(p.value)]
    at, at_left = y(level), abs(known[0] - level) > abs(known[-1] - level)
    return _FRAME.level_label(label, at, at_left=at_left)
