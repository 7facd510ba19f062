"""How scores are spread: a histogram, where they are not only 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from eval_assets.pipeline.item_scores import load_item_scores
from eval_assets.reporting.axes import Axis, ticks
from eval_assets.reporting.pages import figure
from eval_assets.reporting.svg import WIDTH, line, svg, text
from eval_assets.reporting.words import count
from resources.store import Store

_BINS = 20
_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 220, 48, 16, 26, 44


def distribution(store: Store, checkpoint: str, task: str, variant: str) -> dict[str, Any] | None:
    """A plot of the items' mean scores; None where they are all 0 or 1, of which the mean says everything."""
    scores = load_item_scores(store, checkpoint, task, variant, fields=()).values["score"]
    known = scores[~np.isnan(scores)]
    if not len(known) or set(np.unique(known)) <= {0.0, 1.0}:
        return None
    counts, edges = np.histogram(known, bins=_BINS)
    said = f"Scores of {count(len(known))} items, from {known.min():.3g} to {known.max():.3g}."
    return figure(_plot(counts, edges), said)


def _plot(counts: np.ndarray, edges: np.ndarray) -> str:
    x = Axis(float(edges[0]), float(edges[-1]), _LEFT, WIDTH - _RIGHT)
    y = Axis(0.0, float(counts.max()), _HEIGHT - _BOTTOM, _TOP)
    parts = [text("soft", 4, 15, "items")]
    for t in ticks(0.0, float(counts.max()), 4, whole=True):
        parts += [
            line("grid", _LEFT, y(t), WIDTH - _RIGHT, y(t)),
            text("soft", _LEFT - 8, y(t) + 4, count(t), anchor="end"),
        ]
    for n, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        left, right = x(float(low)) + 1, x(float(high)) - 1
        title = f"<title>{low:.3g} to {high:.3g}: {count(n)}</title>"
        parts.append(
            f'<rect class="pl-dot" fill="#0072b2" x="{left:.1f}" y="{y(float(n)):.1f}" width="{right - left:.1f}" '
            f'height="{y(0) - y(float(n)):.1f}">{title}</rect>'
        )
    parts.append(line("axis", _LEFT, y(0), WIDTH - _RIGHT, y(0)))
    parts += [text("soft", x(t), y(0) + 18, f"{t:g}", anchor="middle") for t in ticks(x.low, x.high, 5)]
    parts.append(text("soft", (_LEFT + WIDTH - _RIGHT) / 2, _HEIGHT - 6, "score of an item", anchor="middle"))
    return svg(_HEIGHT, parts, "Distribution of item scores")
