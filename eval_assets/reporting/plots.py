"""Small plots as SVG text: what was estimated, how sure it is, and no ink for anything else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eval_assets.reporting.axes import Axis, padded, ticks
from eval_assets.reporting.svg import WIDTH, dot, line, nothing, path, short, svg, text
from eval_assets.reporting.words import count, difference, direction, number, percent, with_interval

_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 46, 14, 30, 42, 250
_ROW = 22
_LETTER = 6.2  # mean width of a letter at 12 px, pixels

def interval_plot(rows: Sequence[Mapping[str, Any]], reference: float | None = None) -> str:
    """A forest plot: one row each with `label`, `value`, `ci_low`, `ci_high`, all fractions.

    A row with `strong` is set in bold (the overall score). reference: a fraction, drawn as a dashed
    vertical line. A row whose value is unknown keeps its place and says n/a.
    """
    if not rows:
        return nothing("no categories")
    left = min(max(len(short(r["label"])) for r in rows) * _LETTER + 12, 190)
    right = WIDTH - 118
    height = 8 + _ROW * len(rows) + 36
    known = [100 * number(v) for r in rows for v in (r["value"], r.get("ci_low"), r.get("ci_high"))]
    low, high = padded([*known, *([] if reference is None else [100 * reference])], within=(0.0, 100.0))
    x, base = Axis(low, high, left, right), 8 + _ROW * len(rows)
    parts = [line("grid", x(t), 8, x(t), base) for t in ticks(low, high, 4)]
    if reference is not None and math.isfinite(reference):
        parts.append(line("ref", x(100 * reference), 8, x(100 * reference), base))
    parts += [part for i, row in enumerate(rows) for part in _forest_row(row, x, 8 + _ROW * (i + 0.5), left)]
    parts.append(line("axis", left, base, right, base))
    parts += [text("soft", x(t), base + 16, _tick(t), "middle") for t in ticks(low, high, 4)]
    parts.append(text("soft", (left + right) / 2, base + 31, "%", "middle"))
    described = "; ".join(f"{r['label']}: {with_interval(r)}" for r in rows)
    return svg(height, parts, f"Scores with intervals, in percent. {described}")


def _forest_row(row: Mapping[str, Any], x: Axis, y: float, left: float) -> list[str]:
    value, low, high = (100 * number(row.get(k)) for k in ("value", "ci_low", "ci_high"))
    weight = ' font-weight="600"' if row.get("strong") else ""
    label = str(row["label"])
    parts = [text("text", left - 10, y + 4, short(label), "end", weight, label if label != short(label) else "")]
    parts += [line("bar", x(low), y, x(high), y)] if math.isfinite(low + high) else []
    parts += [dot("dot", x(value), y, f"{label}: {with_interval(row)}")] if math.isfinite(value) else []
    return [*parts, text("text", WIDTH - 4, y + 4, with_interval(row), "end", weight)]


def learning_curve(points: Sequence[Mapping[str, Any]], baseline: tuple[str, float] | None = None) -> str:
    """Score by step with its interval.

    points: `step`, `metric`, `value`, `ci_low`, `ci_high` each, as in a report's history.
    baseline: (name, score as a fraction), a dashed line. A gap is left where a value is unknown.
    """
    shown = sorted((p for p in points if p.get("step") is not None), key=lambda p: p["step"])
    rows = [(p["step"], *(100 * number(p.get(k)) for k in ("value", "ci_low", "ci_high"))) for p in shown]
    if not any(math.isfinite(row[1]) for row in rows):
        return nothing("no score by step")
    level = 100 * baseline[1] if baseline and math.isfinite(baseline[1]) else None
    low, high = padded([v for r in rows for v in r[1:]] + [level or math.nan], within=(0.0, 100.0))
    lower = direction(shown[0].get("higher_is_better"))
    metric = str(shown[0].get("metric", "score"))
    x, y, parts = _frame(rows, low, high, f"{metric}, %" + (f" ({lower})" if lower else ""))
    for run in _unbroken(rows):
        parts.append(path([(x(r[0]), y(r[1])) for r in run]))
    if baseline and level is not None:
        parts.append(line("ref", _LEFT, y(level), WIDTH - _RIGHT, y(level)))
    for point, (step, value, below, above) in zip(shown, rows, strict=True):
        parts += _whisker(x(step), y, value, below, above, "dot", f"step {step}: {with_interval(point)}")
    if baseline and level is not None:
        parts.append(_reference_label(f"{short(baseline[0], 34)}: {percent(baseline[1])}", y(level), rows, y))
    described = "; ".join(f"step {p['step']}: {with_interval(p)}" for p in shown)
    return svg(_HEIGHT, parts, f"{metric} by step, in percent. {described}")


def difference_plot(points: Sequence[Mapping[str, Any]]) -> str:
    """Paired difference to another checkpoint by step, with its interval and the zero line.

    points: `step`, `mean_diff`, `ci_low`, `ci_high` each, fractions. A dot is filled where its
    interval does not hold zero.
    """
    shown = sorted((p for p in points if p.get("step") is not None), key=lambda p: p["step"])
    rows = [(p["step"], *(100 * number(p.get(k)) for k in ("mean_diff", "ci_low", "ci_high"))) for p in shown]
    if not any(math.isfinite(row[1]) for row in rows):
        return nothing("no paired difference")
    low, high = padded([v for r in rows for v in r[1:]] + [0.0])
    x, y, parts = _frame(rows, low, high, "difference, points", signed=True)
    parts.append(line("axis", _LEFT, y(0), WIDTH - _RIGHT, y(0)))
    for run in _unbroken(rows):
        parts.append(path([(x(r[0]), y(r[1])) for r in run]))
    for point, (step, value, below, above) in zip(shown, rows, strict=True):
        look = "dot" if below > 0 or above < 0 else "hollow"
        parts += _whisker(x(step), y, value, below, above, look, f"step {step}: {difference(point)}")
    described = "; ".join(f"step {p['step']}: {difference(p)}" for p in shown)
    return svg(_HEIGHT, parts, f"Paired difference by step, in percentage points. {described}")


def interval_strip(entry: Mapping[str, Any], low: float, high: float) -> str:
    """One score with its interval on a scale from low to high (fractions), as small as a word."""
    width, middle = 96, 5
    x = Axis(100 * low, 100 * high, 4, width - 4)
    value, below, above = (100 * number(entry.get(k)) for k in ("value", "ci_low", "ci_high"))
    parts = [line("grid", 0, middle, width, middle)]
    parts += [line("bar", x(below), middle, x(above), middle)] if math.isfinite(below + above) else []
    parts += [dot("dot", x(value), middle, with_interval(entry), 2.5)] if math.isfinite(value) else []
    return svg(10, parts, with_interval(entry), width)


def _frame(
    rows: Sequence[tuple[float, ...]], low: float, high: float, title: str, *, signed: bool = False
) -> tuple[Axis, Axis, list[str]]:
    """Both axes with gridlines, ticks and labels."""
    first, last = rows[0][0], rows[-1][0]
    edge = 0.03 * (last - first) or 0.5
    x = Axis(first - edge, last + edge, _LEFT, WIDTH - _RIGHT)
    y = Axis(low, high, _HEIGHT - _BOTTOM, _TOP)
    parts = [text("soft", 4, 15, title)]
    for t in ticks(low, high, 5):
        parts.append(line("grid", _LEFT, y(t), WIDTH - _RIGHT, y(t)))
        parts.append(text("soft", _LEFT - 8, y(t) + 4, _tick(t, signed=signed), "end"))
    parts.append(line("axis", _LEFT, y(low), WIDTH - _RIGHT, y(low)))
    for t in ticks(first, last, 5, whole=True) or [first]:
        parts.append(line("axis", x(t), y(low), x(t), y(low) + 4))
        parts.append(text("soft", x(t), y(low) + 18, count(t), "middle"))
    parts.append(text("soft", (_LEFT + WIDTH - _RIGHT) / 2, _HEIGHT - 6, "step", "middle"))
    return x, y, parts


def _whisker(x: float, y: Axis, value: float, low: float, high: float, look: str, said: str) -> list[str]:
    if not math.isfinite(value):
        return []
    bar = [line("bar", x, y(low), x, y(high))] if math.isfinite(low + high) else []
    return [*bar, dot(look, x, y(value), said)]


def _unbroken(rows: Sequence[tuple[float, ...]]) -> list[list[tuple[float, ...]]]:
    """The stretches between unknown values: no line is drawn across what was not measured."""
    runs: list[list[tuple[float, ...]]] = [[]]
    for row in rows:
        if math.isfinite(row[1]):
            runs[-1].append(row)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if len(run) > 1]


def _reference_label(label: str, at: float, rows: Sequence[tuple[float, ...]], y: Axis) -> str:
    """Beside the dashed line, at the end where the curve is farther away."""
    known = [r for r in rows if math.isfinite(r[1])]
    at_left = abs(y(known[0][1]) - at) > abs(y(known[-1][1]) - at)
    above = at - 6 if at > _TOP + 16 else at + 15
    return text("reftext", _LEFT + 4 if at_left else WIDTH - _RIGHT, above, label, "start" if at_left else "end")


def _tick(value: float, *, signed: bool = False) -> str:
    text = f"{value:+g}" if signed and value else f"{value:g}"
    return text.replace("-", "−")
