"""Plots of what a stream takes: tokens of its context, and the engine's KV cache, over the time of the stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval_assets.reporting.frame import Frame
from eval_assets.reporting.svg import WIDTH, band, dot, path, svg
from eval_assets.reporting.words import count, decimal

_FRAME = Frame(width=WIDTH, height=240, left=54, right=20, top=30, bottom=44, below="seconds of the stream")

Curve = Mapping[str, Any]


def figures(curve: Curve, beside: Sequence[Curve] = ()) -> list[tuple[str, str]]:
    """(plot, caption) of what is known of a report's block `memory`. beside: curves that are to have the same scale."""
    asked = f"mean of the streams that were asked then, {count(max(p['streams'] for p in curve['points']))} at most"
    spread = f"{asked}; shaded: from the least of them to the most."
    holds = f"The engine's KV cache with all streams in flight, up to {curve['concurrency']}, and not of one stream: "
    captions = {"tokens": f"Tokens of a request: {spread}", "kv_use": f"{holds}{spread}"}
    return [
        (memory_plot(curve, name, _largest([curve, *beside], name)), said)
        for name, said in captions.items()
        if any(p[name] for p in curve["points"])
    ]


def _largest(curves: Sequence[Curve], name: str) -> float:
    return max(float(p[name][2]) for curve in curves for p in curve["points"] if p[name])


def memory_plot(curve: Curve, name: str, most: float) -> str:
    """`tokens` or `kv_use` of a `memory_curve` from 0 on: the mean as a line, from least to most as a shade.

    most: the largest value that the axis has room for.
    """
    scale, title = (
        (1.0, "context, tokens") if name == "tokens" else (100.0, "engine's KV cache, all streams in flight, %")
    )
    points = [p for p in curve["points"] if p[name]]
    x, y, parts = _FRAME.axes([0.0, *(p["at"] for p in points)], 0.0, 1.07 * scale * most or 1.0, title)
    mean, least, high = ([(x(p["at"]), y(scale * p[name][i])) for p in points] for i in range(3))
    parts += [band(high, least), path(mean)]
    for p, (at, height) in zip(points, mean, strict=True):
        parts.append(dot("dot", at, height, f"{p['at']:.1f} s: {_said(p[name], name)}", radius=2.0))
    first, last = points[0], points[-1]
    described = (
        f"{title}: {_said(first[name], name)} at {first['at']:.1f} s, {_said(last[name], name)} at {last['at']:.1f} s"
    )
    return svg(_FRAME.height, parts, described)


def _said(spread: list[float], name: str) -> str:
    shown = [count(v) if name == "tokens" else f"{decimal(100 * v, 1)} %" for v in spread]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"
