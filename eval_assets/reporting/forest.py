"""All tasks of a checkpoint in one picture: scores on the left, paired differences on the right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eval_assets.reporting.axes import Axis, padded, ticks
from eval_assets.reporting.svg import dot, line, nothing, short, svg, text
from eval_assets.reporting.words import ALPHA, difference, direction, number, p_words, with_interval

WIDTH, _ROW, _TOP, _BOTTOM = 960, 24, 30, 40
_LABELS, _SCORES, _DIFFERENCES = 190, (200, 345), (540, 690)  # where labels end; each panel's axis, pixels
_TEXT = 10  # between an axis and the words beside it

Row = Mapping[str, Any]


def suite_forest(rows: Sequence[Row], against: str = "") -> str:
    """One row a task: `label`, `score` (a metric's fields or None), `difference` (a comparison's or None).

    A row with `strong` (the macro average) is set in bold below a line. against: the checkpoint of the differences;
    without one there are scores only. A dot is filled where the corrected p-value is below 0.05 (the plain one where
    none is corrected); differences of a task where less is better are drawn as they are and say so.
    """
    if not rows:
        return nothing("no tasks")
    base = _TOP + _ROW * len(rows)
    scores = [r.get("score") or {} for r in rows]
    parts = _panel([_ends(s, "value") for s in scores], _SCORES, base, "score, %", within=(0.0, 100.0))
    parts += [part for i, r in enumerate(rows) for part in _label(r, _place(i))]
    x = _axis([_ends(s, "value") for s in scores], _SCORES, (0.0, 100.0))
    for i, (row, score) in enumerate(zip(rows, scores, strict=True)):
        said = with_interval(score)
        parts += _mark(_ends(score, "value"), x, _place(i), "dot", f"{row['label']}: {said}")
        at = _SCORES[1] + _TEXT
        parts.append(text("text", at, _place(i) + 4, said, strong=bool(row.get("strong"))))
    described = "; ".join(f"{r['label']}: {with_interval(s)}" for r, s in zip(rows, scores, strict=True))
    if against:
        parts += _differences(rows, against, base)
        described += f". Differences to {against}: " + "; ".join(
            f"{r['label']}: {difference(r['difference'])}" for r in rows if r.get("difference")
        )
    if rows[-1].get("strong") and len(rows) > 1:
        parts.append(line("axis", 4, base - _ROW, WIDTH - 4, base - _ROW))
    return svg(base + _BOTTOM, parts, f"Scores in percent with intervals. {described}", WIDTH if against else 560)


def _differences(rows: Sequence[Row], against: str, base: float) -> list[str]:
    entries = [r.get("difference") or {} for r in rows]
    ends = [_ends(e, "mean_diff") for e in entries]
    title = f"difference to {short(against, 30)}, points"
    parts = _panel([*ends, (0.0, 0.0, 0.0)], _DIFFERENCES, base, title, signed=True)
    x = _axis([*ends, (0.0, 0.0, 0.0)], _DIFFERENCES, None)
    parts.append(line("ref", x(0), _TOP, x(0), base))
    for i, (row, entry) in enumerate(zip(rows, entries, strict=True)):
        if not entry:
            parts.append(text("soft", _DIFFERENCES[1] + _TEXT, _place(i) + 4, "not compared"))
            continue
        adjusted = number(entry.get("p_adjusted"))
        p, name = (entry.get("p_value"), "p") if math.isnan(adjusted) else (adjusted, "Holm p")
        shown = number(p) < ALPHA and number(entry["mean_diff"]) != 0
        said = f"{difference(entry)}, {p_words(p, name)}"
        parts += _mark(ends[i], x, _place(i), "dot" if shown else "hollow", f"{row['label']}: {said}")
        parts.append(text("text", _DIFFERENCES[1] + _TEXT, _place(i) + 4, said, strong=bool(row.get("strong"))))
    return parts


def _label(row: Row, y: float) -> list[str]:
    lower = direction((row.get("score") or row.get("difference") or {}).get("higher_is_better"))
    said = f"{row['label']} (less is better)" if lower else str(row["label"])
    strong = bool(row.get("strong"))
    return [text("text", _LABELS - 4, y + 4, short(said), anchor="end", strong=strong, whole=said)]


def _panel(
    ends: Sequence[tuple[float, float, float]],
    place: tuple[float, float],
    base: float,
    title: str,
    *,
    within: tuple[float, float] | None = None,
    signed: bool = False,
) -> list[str]:
    x = _axis(ends, place, within)
    parts = [text("soft", (place[0] + place[1]) / 2, 18, title, anchor="middle")]
    for t in ticks(x.low, x.high, 3):
        parts.append(line("grid", x(t), _TOP, x(t), base))
        said = f"{t:+g}" if signed and t else f"{t:g}"
        parts.append(text("soft", x(t), base + 18, said.replace("-", "−"), anchor="middle"))
    return [*parts, line("axis", place[0], base, place[1], base)]


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


def _place(row: int) -> float:
    return _TOP + _ROW * (row + 0.5)
