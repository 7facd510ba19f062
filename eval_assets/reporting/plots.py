"""Small plots as SVG text: what was estimated, how sure it is, and no ink for anything else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

from eval_assets.reporting.axes import Axis, padded, ticks
from eval_assets.reporting.frame import Frame, tick, titled
from eval_assets.reporting.svg import WIDTH, dot, line, nothing, path, short, strip, svg, text
from eval_assets.reporting.words import count, difference, number, percent, with_interval

_FRAME = Frame(width=WIDTH, height=250, left=46, right=14, top=30, bottom=42, below="step")
_ROW = 22
_LETTER = 6.9  # mean width of a letter at 12 px, pixels


def interval_plot(rows: Sequence[Mapping[str, Any]], reference: float | None = None) -> str:
    """A forest plot: one row each with `label`, `value`, `ci_low`, `ci_high`, all fractions.

    A row with `strong` is set in bold (the overall score). reference: a fraction, drawn as a dashed
    vertical line. A row whose value is unknown keeps its place and says n/a.
    """
    if not rows:
        return nothing("no categories")
    left = min(max(len(short(r["label"])) for r in rows) * _LETTER + 14, 204)
    right = WIDTH - 16 - _LETTER * max(len(with_interval(r)) for r in rows)
    height = 8 + _ROW * len(rows) + 36
    known = [100 * number(v) for r in rows for v in (r["value"], r.get("ci_low"), r.get("ci_high"))]
    low, high = padded([*known, *([] if reference is None else [100 * reference])], within=(0.0, 100.0))
    x, base = Axis(low, high, left, right), 8 + _ROW * len(rows)
    parts = [line("grid", x(t), 8, x(t), base) for t in ticks(low, high, 4)]
    if reference is not None and math.isfinite(reference):
        parts.append(line("ref", x(100 * reference), 8, x(100 * reference), base))
    parts += [part for i, row in enumerate(rows) for part in _forest_row(row, x, 8 + _ROW * (i + 0.5), left)]
    parts.append(line("axis", left, base, right, base))
    parts += [text("soft", x(t), base + 16, tick(t), anchor="middle") for t in ticks(low, high, 4)]
    parts.append(text("soft", (left + right) / 2, base + 31, "%", anchor="middle"))
    described = "; ".join(f"{r['label']}: {with_interval(r)}" for r in rows)
    return svg(height, parts, f"Scores with intervals, in percent. {described}")


def _forest_row(row: Mapping[str, Any], x: Axis, y: float, left: float) -> list[str]:
    value, low, high = (100 * number(row.get(k)) for k in ("value", "ci_low", "ci_high"))
    label, strong = str(row["label"]), bool(row.get("strong"))
    parts = [text("text", left - 10, y + 4, short(label), anchor="end", strong=strong, whole=label)]
    parts += [line("bar", x(low), y, x(high), y)] if math.isfinite(low + high) else []
    parts += [dot("dot", x(value), y, f"{label}: {with_interval(row)}")] if math.isfinite(value) else []
    return [*parts, text("text", WIDTH - 4, y + 4, with_interval(row), anchor="end", strong=strong)]


class _Point(NamedTuple):
    """A value at a step with its interval, in percent or points; said: the same in words."""

    step: float
    value: float
    low: float
    high: float
    said: str

    @property
    def ends(self) -> tuple[float, float, float]:
        return self.value, self.low, self.high


def learning_curve(points: Sequence[Mapping[str, Any]], baseline: tuple[str, float] | None = None) -> str:
    """Score by step with its interval.

    points: `step`, `metric`, `value`, `ci_low`, `ci_high` each, as in a report's history.
    baseline: (name, score as a fraction), a dashed line. A gap is left where a value is unknown.
    """
    found = _known(points, "value", with_interval)
    metric = str(points[0].get("metric", "score")) if points else ""
    described = f"{metric} by step, in percent. {'; '.join(p.said for p in found)}"
    title = titled(f"{metric}, %", points[0].get("higher_is_better")) if points else ""
    return _curve(_FRAME, found, title, baseline, described)


def _curve(frame: Frame, found: list[_Point], title: str, level: tuple[str, float] | None, described: str) -> str:
    """Points with intervals, joined where neighbours are known.

    level: name and fraction of a dashed line; one without a name is the caption's to explain.
    """
    if not any(math.isfinite(p.value) for p in found):
        return nothing(f"no score by {frame.below}")
    at = 100 * number(level[1]) if level else math.nan
    low, high = padded([*(v for p in found for v in p.ends), at], within=(0.0, 100.0))
    x, y, parts = frame.axes([p.step for p in found], low, high, title)
    parts += _line_through(found, x, y)
    if math.isfinite(at):
        parts.append(frame.level("ref", y(at)))
    parts += [part for p in found for part in _whisker(p, x, y, "dot")]
    if level and level[0] and math.isfinite(at):
        parts.append(_reference_label(f"{short(level[0], 34)}: {percent(level[1])}", y(at), found, y))
    return svg(frame.height, parts, described)


def breakdown_plot(part: Mapping[str, Any]) -> str:
    """Categories with their intervals: of an ordered field in its order, as a curve; else a forest plot.

    part: an entry of `view.breakdowns`. Dashed: all items.
    """
    overall, *rows = part["plotted"]
    if not part["ordered"] or len(rows) < 2:
        return interval_plot(part["plotted"], overall["value"])
    found = [
        _Point(float(row["label"]), *(100 * number(row.get(k)) for k in ("value", "ci_low", "ci_high")),
               f"{part['field']} {row['label']}: {with_interval(row)}")
        for row in rows
    ]  # fmt: skip
    title = titled(f"{part['lead']}, %", overall.get("higher_is_better"))
    described = f"{part['lead']} by {part['field']}, in percent. {'; '.join(p.said for p in found)}"
    return _curve(replace(_FRAME, below=part["field"]), found, title, ("", overall["value"]), described)


def difference_plot(points: Sequence[Mapping[str, Any]], start: float | None = None) -> str:
    """Paired difference to another checkpoint by step, with its interval and the zero line.

    points: `step`, `mean_diff`, `ci_low`, `ci_high` each, fractions. start: the step where the axis
    begins. A dot is filled where its interval does not hold zero.
    """
    found = _known(points, "mean_diff", difference)
    if not found:
        return nothing("no paired difference")
    low, high = padded([*(v for p in found for v in p.ends), 0.0])
    title = titled("difference, points", points[0].get("higher_is_better"))
    steps = [found[0].step if start is None else start, found[-1].step]
    x, y, parts = _FRAME.axes(steps, low, high, title, signed=True)
    parts.append(_FRAME.level("axis", y(0)))
    parts += _line_through(found, x, y)
    for p in found:
        parts += _whisker(p, x, y, "dot" if p.low > 0 or p.high < 0 else "hollow")
    return svg(
        _FRAME.height, parts, f"Paired difference by step, in percentage points. {'; '.join(p.said for p in found)}"
    )


def frames_curve(points: Sequence[Mapping[str, Any]], metric: str, within: tuple[float, float]) -> str:
    """Score by number of frames, which are twice as many at every step to the right, with its interval.

    points: `frames`, `value`, `ci_low`, `ci_high` each, fractions; `own_unit` where they are none. within: the
    lowest and highest value of the axis, so that several plots can be laid beside each other.
    """
    scale = 1 if points[0].get("own_unit") else 100
    found = []
    for p in points:
        value, low, high = (scale * number(p.get(k)) for k in ("value", "ci_low", "ci_high"))
        found.append(
            _Point(math.log2(p["frames"]), value, low, high, f"{count(p['frames'])} frames: {with_interval(p)}")
        )
    unit = "" if points[0].get("own_unit") else ", %"
    marks = {p.step: count(point["frames"]) for p, point in zip(found, points, strict=True)}
    title = titled(f"{metric}{unit}", points[0].get("higher_is_better"))
    frame = replace(_FRAME, below="frames of each video, at most")
    x, y, parts = frame.axes([p.step for p in found], *(scale * end for end in within), title, marks=marks)
    parts += _line_through(found, x, y)
    parts += [part for p in found for part in _whisker(p, x, y, "dot")]
    return svg(frame.height, parts, f"{metric} by number of frames{unit}. {'; '.join(p.said for p in found)}")


def interval_strip(entry: Mapping[str, Any], low: float, high: float) -> str:
    """One score with its interval on a scale from low to high (fractions), small as a word, for beside the number."""
    width, middle = 96, 5
    x = Axis(100 * low, 100 * high, 4, width - 4)
    value, below, above = (100 * number(entry.get(k)) for k in ("value", "ci_low", "ci_high"))
    parts = [line("grid", 0, middle, width, middle)]
    parts += [line("bar", x(below), middle, x(above), middle)] if math.isfinite(below + above) else []
    parts += [dot("dot", x(value), middle, "", 2.5)] if math.isfinite(value) else []
    return strip(width, 10, parts)


def _known(points: Sequence[Mapping[str, Any]], key: str, say: Callable[[Mapping[str, Any]], str]) -> list[_Point]:
    """Points in order of step, an unknown value as NaN; none at all where nothing is known."""
    placed = sorted((p for p in points if p.get("step") is not None), key=lambda p: p["step"])
    found = []
    for p in placed:
        value, low, high = (100 * number(p.get(k)) for k in (key, "ci_low", "ci_high"))
        found.append(_Point(p["step"], value, low, high, f"step {p['step']}: {say(p)}"))
    return found if any(math.isfinite(p.value) for p in found) else []


def _whisker(p: _Point, x: Axis, y: Axis, look: str) -> list[str]:
    if not math.isfinite(p.value):
        return []
    bar = [line("bar", x(p.step), y(p.low), x(p.step), y(p.high))] if math.isfinite(p.low + p.high) else []
    return [*bar, dot(look, x(p.step), y(p.value), p.said)]


def _line_through(found: Sequence[_Point], x: Axis, y: Axis) -> list[str]:
    """One line a stretch of known values: none is drawn across what was not measured."""
    stretches = [list(group) for known, group in groupby(found, lambda p: math.isfinite(p.value)) if known]
    return [path([(x(p.step), y(p.value)) for p in stretch]) for stretch in stretches if len(stretch) > 1]


def _reference_label(label: str, at: float, found: Sequence[_Point], y: Axis) -> str:
    """Beside the dashed line, at the end where the curve is farther away."""
    known = [p.value for p in found if math.isfinite(p.value)]
    at_left = abs(y(known[0]) - at) > abs(y(known[-1]) - at)
    return _FRAME.level_label(label, at, at_left=at_left)
