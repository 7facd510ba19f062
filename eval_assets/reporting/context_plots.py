"""Plots of streams: a score against the budget of frames, and how late events were told of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from eval_assets.reporting.axes import Axis, padded, ticks
from eval_assets.reporting.frame import tick, titled
from eval_assets.reporting.svg import WIDTH, bar, dot, line, nothing, path, svg, text
from eval_assets.reporting.words import MISSING, count, number, with_interval

_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 250, 46, 86, 30, 42
_APART = 14  # pixels between two labels
_DODGE = 4  # pixels between two policies at one budget
_LOOKS = ("dot", "hollow", "third", "fourth", "fifth")  # as many as there are policies with a budget


def budget_curves(curves: Sequence[Mapping[str, Any]], metric: Mapping[str, Any]) -> str:
    """curves: `policy`, `points` (`budget`, `value`, `ci_low`, `ci_high`); metric: `name`, `own_unit`,
    `higher_is_better`. A policy without budgets is a dashed level.
    """
    scale = 1 if metric.get("own_unit") else 100
    drawn = [c for c in curves if c["points"][0]["budget"] is not None]
    levels = [c for c in curves if c["points"][0]["budget"] is None]
    known = [scale * number(p[k]) for c in curves for p in c["points"] for k in ("value", "ci_low", "ci_high")]
    if not drawn or not any(map(math.isfinite, known)):
        return nothing(f"no {metric['name']} by budget")
    low, high = padded(known, None if metric.get("own_unit") else (0.0, 100.0))
    budgets = sorted({p["budget"] for c in drawn for p in c["points"]})
    first, last = math.log2(budgets[0]), math.log2(budgets[-1])
    edge = 0.05 * (last - first) or 0.5
    x = Axis(first - edge, last + edge, _LEFT, WIDTH - _RIGHT)
    y = Axis(low, high, _HEIGHT - _BOTTOM, _TOP)
    unit = "" if metric.get("own_unit") else ", %"
    parts = [text("soft", 4, 15, titled(f"{metric['name']}{unit}", metric.get("higher_is_better")))]
    for t in ticks(low, high, 5):
        parts.append(line("grid", _LEFT, y(t), WIDTH - _RIGHT, y(t)))
        parts.append(text("soft", _LEFT - 8, y(t) + 4, tick(t), anchor="end"))
    parts.append(line("axis", _LEFT, y(low), WIDTH - _RIGHT, y(low)))
    for budget in budgets:
        at = x(math.log2(budget))
        parts.append(line("axis", at, y(low), at, y(low) + 4))
        parts.append(text("soft", at, y(low) + 18, count(budget), anchor="middle"))
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(text("soft", middle, _HEIGHT - 6, "budget of frames, log scale", anchor="middle"))
    labels: list[tuple[float, str, str]] = []
    for curve in levels:
        value = scale * number(curve["points"][0]["value"])
        if math.isfinite(value):
            parts.append(line("ref", _LEFT, y(value), WIDTH - _RIGHT, y(value)))
            labels.append((y(value), curve["policy"], "reftext"))
    for number_, curve in enumerate(drawn):
        look, aside = _LOOKS[number_ % len(_LOOKS)], _DODGE * (number_ - (len(drawn) - 1) / 2)
        places = [
            (x(math.log2(p["budget"])) + aside, scale * number(p["value"]), p)
            for p in curve["points"]
            if math.isfinite(number(p["value"]))
        ]
        parts.append(path([(at, y(value)) for at, value, _ in places]))
        for at, value, p in places:
            ends = [scale * number(p[k]) for k in ("ci_low", "ci_high")]
            parts += [line("bar", at, y(ends[0]), at, y(ends[1]))] if math.isfinite(sum(ends)) else []
            parts.append(dot(look, at, y(value), f"{curve['policy']}, {p['budget']} frames: {with_interval(p)}"))
        if places:
            labels.append((y(places[-1][1]), curve["policy"], look))
    parts += _labels(labels)
    described = "; ".join(
        f"{c['policy']}: " + ", ".join(f"{p['budget'] or 'all'} frames {with_interval(p)}" for p in c["points"])
        for c in curves
    )
    return svg(_HEIGHT, parts, f"{metric['name']} by budget of frames. {described}")


def _labels(wanted: Sequence[tuple[float, str, str]]) -> list[str]:
    """Beside the ends of their curves, each with its mark, moved apart where they would touch."""
    placed: list[list[Any]] = [[at, said, look] for at, said, look in sorted(wanted)]
    for above, below in pairwise(placed):
        below[0] = max(below[0], above[0] + _APART)
    lowest = _HEIGHT - _BOTTOM
    for entry in reversed(placed):  # and up again where that led below the axis
        entry[0] = min(entry[0], lowest)
        lowest = entry[0] - _APART
    left, parts = WIDTH - _RIGHT + 12, []
    for at, said, look in placed:
        if look == "reftext":
            parts += [line("ref", left - 6, at, left + 4, at), text("reftext", left + 10, at + 4, said)]
        else:
            parts += [dot(look, left, at, ""), text("text", left + 10, at + 4, said)]
    return parts


def latency_histogram(seconds: Sequence[float], policy: str, bins: int = 12) -> str:
    """How many events were told of after how many seconds; bins are as wide as a round number of seconds."""
    if not seconds:
        return nothing(f"{policy}: no event was told of, latency")
    width = _round_width(max(seconds) / bins)
    n = int(max(seconds) / width + 1e-9) + 1
    counts = [sum(int(s / width + 1e-9) == i for s in seconds) for i in range(n)]
    x = Axis(0, n * width, _LEFT, WIDTH - 14)
    y = Axis(0, max(counts) * 1.07, _HEIGHT - _BOTTOM, _TOP)
    parts = [text("soft", 4, 15, f"events told of, {policy} ({len(seconds)})")]
    for t in ticks(0, max(counts), 4, whole=True):
        parts.append(line("grid", _LEFT, y(t), WIDTH - 14, y(t)))
        parts.append(text("soft", _LEFT - 8, y(t) + 4, tick(t), anchor="end"))
    for i, c in enumerate(counts):
        if c:
            said = f"{i * width:g} to {(i + 1) * width:g} s: {c}"
            parts.append(bar(x(i * width) + 1, y(c), x((i + 1) * width) - x(i * width) - 2, y(0) - y(c), said))
    parts.append(line("axis", _LEFT, y(0), WIDTH - 14, y(0)))
    for t in ticks(0, n * width, 6):
        parts.append(line("axis", x(t), y(0), x(t), y(0) + 4))
        parts.append(text("soft", x(t), y(0) + 18, tick(t), anchor="middle"))
    parts.append(text("soft", (_LEFT + WIDTH - 14) / 2, _HEIGHT - 6, "seconds from the event", anchor="middle"))
    described = ", ".join(f"{c} from {i * width:g} to {(i + 1) * width:g} s" for i, c in enumerate(counts) if c)
    return svg(_HEIGHT, parts, f"Latency of {policy}: {described or MISSING}")


def _round_width(least: float) -> float:
    """The smallest of 0.1, 0.2, 0.5, 1, 2, 5 ... seconds that is no less than this."""
    size = 10.0 ** math.floor(math.log10(max(least, 0.1)))
    return next((size * m for m in (1, 2, 5, 10) if size * m >= least - 1e-9), 10 * size)
