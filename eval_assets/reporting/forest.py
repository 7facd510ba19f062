"""All tasks of a checkpoint in one picture: scores on the left, paired differences on the right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eval_assets.reporting.axes import Axis, padded, ticks
from eval_assets.reporting.frame import tick
from eval_assets.reporting.svg import dot, line, nothing, short, svg, text
from eval_assets.reporting.words import ALPHA, difference, direction, number, p_words, with_interval

WIDTH, _ROW, _TOP, _BOTTOM = 960, 24, 30, 40
_ALONE = 560  # width without differences
_LABELS, _SCORES, _DIFFERENCES = 190, (200, 345), (540, 690)  # where labels end; each panel's axis, pixels
_NARROW, _NARROW_LABELS, _NARROW_AXIS = 460, 140, (150, 285)  # one panel below the other, for phones
_LETTER = 6.7  # mean width of a letter at 12 px, pixels
_TEXT = 10  # between an axis and the words beside it

Row = Mapping[str, Any]


def suite_forest(rows: Sequence[Row], against: str = "", *, narrow: bool = False) -> str:
    """One row a task: `label`, `score` (a metric's fields or None), `difference` (a comparison's or None).

    A row with `strong` (the macro average) is set in bold below a line. against: the checkpoint of the differences;
    without one there are scores only. A dot is filled where the corrected p-value is below 0.05 (the plain one where
    none is corrected); differences of a task where less is better are drawn as they are and say so.
    narrow: the differences below the scores and without their p-values, for a phone.
    """
    if not rows:
        return nothing("no tasks")
    height = _TOP + _ROW * len(rows) + _BOTTOM
    labels, at = (_NARROW_LABELS, _NARROW_AXIS) if narrow else (_LABELS, _SCORES)
    width = _NARROW if narrow else WIDTH if against else _ALONE
    parts = _labels(rows, labels, width, 0) + _scores(rows, at, 0)
    said = [f"{r['label']}: {with_interval(r.get('score') or {})}" for r in rows]
    described = f"Scores in percent with intervals. {'; '.join(said)}"
    if against:
        below = height if narrow else 0
        parts += _labels(rows, labels, width, below) if narrow else []
        parts += _differences(rows, against, _NARROW_AXIS if narrow else _DIFFERENCES, below, tested=not narrow)
        compared = [f"{r['label']}: {difference(r['difference'])}" for r in rows if r.get("difference")]
        described += f". Differences to {against}: {'; '.join(compared)}"
        height += below
    return svg(height, parts, described, width)


def _labels(rows: Sequence[Row], end: float, width: float, top: float) -> list[str]:
    """Names of the tasks, right-aligned at `end`, and the line above the macro average."""
    parts = [part for i, r in enumerate(rows) for part in _label(r, end, _place(i, top))]
    if rows[-1].get("strong") and len(rows) > 1:
        y = top + _TOP + _ROW * (len(rows) - 1)
        parts.append(line("axis", 4, y, width - 4, y))
    return parts


def _scores(rows: Sequence[Row], at: tuple[float, float], top: float) -> list[str]:
    scores = [r.get("score") or {} for r in rows]
    ends = [_ends(s, "value") for s in scores]
    x = _axis(ends, at, (0.0, 100.0))
    parts = _panel(x, top, len(rows), "score, %")
    for i, (row, score) in enumerate(zip(rows, scores, strict=True)):
        said = with_interval(score)
        parts += _mark(ends[i], x, _place(i, top), "dot", f"{row['label']}: {said}")
        parts.append(text("text", at[1] + _TEXT, _place(i, top) + 4, said, strong=bool(row.get("strong"))))
    return parts


def _differences(rows: Sequence[Row], against: str, at: tuple[float, float], top: float, *, tested: bool) -> list[str]:
    entries = [r.get("difference") or {} for r in rows]
    ends = [_ends(e, "mean_diff") for e in entries]
    x = _axis([*ends, (0.0, 0.0, 0.0)], at, None)
    parts = _panel(x, top, len(rows), f"difference to {short(against, 30)}, points", signed=True)
    parts.append(line("ref", x(0), top + _TOP, x(0), top + _TOP + _ROW * len(rows)))
    for i, (row, entry) in enumerate(zip(rows, entries, strict=True)):
        beside, y = at[1] + _TEXT, _place(i, top)
        if not entry:
            parts.append(text("soft", beside, y + 4, "not compared"))
            continue
        adjusted = number(entry.get("p_adjusted"))
        p, name = (entry.get("p_value"), "p") if math.isnan(adjusted) else (adjusted, "Holm p")
        shown = number(p) < ALPHA and number(entry["mean_diff"]) != 0
        said = f"{difference(entry)}, {p_words(p, name)}"
        parts += _mark(ends[i], x, y, "dot" if shown else "hollow", f"{row['label']}: {said}")
        words = said if tested else difference(entry)
        parts.append(text("text", beside, y + 4, words, strong=bool(row.get("strong"))))
    return parts


def _label(row: Row, end: float, y: float) -> list[str]:
    lower = direction((row.get("score") or row.get("difference") or {}).get("higher_is_better"))
    said = f"{row['label']} (less is better)" if lower else str(row["label"])
    most = int(end / _LETTER)
    return [text("text", end - 4, y + 4, short(said, most), anchor="end", strong=bool(row.get("strong")), whole=said)]


def _panel(x: Axis, top: float, rows: int, title: str, *, signed: bool = False) -> list[str]:
    """Title, gridlines, ticks and axis."""
    low, base = top + _TOP, top + _TOP + _ROW * rows
    parts = [text("soft", (x.start + x.end) / 2, top + 18, title, anchor="middle")]
    for t in ticks(x.low, x.high, 3):
        parts.append(line("grid", x(t), low, x(t), base))
        parts.append(text("soft", x(t), base + 18, tick(t, signed=signed), anchor="middle"))
    return [*parts, line("axis", x.start, base, x.end, base)]


def _axis(
    ends: Sequence[tuple[float, float, float]], place: tuple[float, float], within: tuple[float, float] | None
) -> Axis:
    return Axis(*padded([v for three in ends for v in three], within=within), *place)


def _mark(ends: tuple[float, float, float], x: Axis, y: float, look: str, said: str) -> list[str]:
    value, low, high = ends
    parts = [line("bar", x(low), y, x(high), y)] if math.isfinite(low + high) else []
    return [*parts, dot(look, x(value), y, said)] if math.isfinite(value) else parts


def _ends(entry: Row, key: str) -> tuple[float, float, float]:
    value, low, high = (100 * number(entry.get(k)) for k in (key, "ci_low", "ci_high"))
    return value, low, high


def _place(row: int, top: float) -> float:
    return top + _TOP + _ROW * (row + 0.5)
