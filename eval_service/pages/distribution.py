"""How scores are spread: a histogram, where they are not only 0 and 1, whose bars open their items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np

from eval_assets.pipeline.item_scores import load_item_scores
from eval_assets.reporting.axes import Axis, ticks
from eval_assets.reporting.pages import figure
from eval_assets.reporting.svg import WIDTH, bar, line, svg, text
from eval_assets.reporting.words import count
from resources.store import Store

_BINS, _BELOW = 20, "score of an item"
_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 220, 48, 16, 26, 44


def distribution(store: Store, checkpoint: str, task: str, variant: str) -> dict[str, Any] | None:
    """A plot of the items' mean scores; None where they are all 0 or 1, of which the mean says everything."""
    scores = load_item_scores(store, checkpoint, task, variant, fields=()).values["score"]
    known = scores[~np.isnan(scores)]
    if not len(known) or set(np.unique(known)) <= {0.0, 1.0}:
        return None
    counts, edges = np.histogram(known, bins=_BINS)
    given = {"variant": variant} if variant else {}
    # All but the last lie below their upper edge, and the items of a bar are asked for with both ends.
    lowest, highest = edges[:-1].tolist(), [*np.nextafter(edges[1:-1], -np.inf).tolist(), float(edges[-1])]
    bins = [
        {"low": low, "high": high, "n": n, "said": [f"{low:.3g} to {high:.3g}: {count(n)}"],
         "href": f"?{urlencode(given | {'scores': f'{low!r}..{top!r}'})}#items" if n else ""}
        for n, low, high, top in zip(counts.tolist(), lowest, edges[1:].tolist(), highest, strict=True)
    ]  # fmt: skip
    said = f"Scores of {count(len(known))} items, from {known.min():.3g} to {known.max():.3g}."
    plot = {
        "kind": "bins", "title": "items", "below": _BELOW, "described": f"Distribution of item scores. {said}",
        "span": [float(edges[0]), float(edges[-1])], "points": bins,
    }  # fmt: skip
    return figure(_plot(bins), said, plot)


def _plot(bins: Sequence[dict[str, Any]]) -> str:
    most = float(max(b["n"] for b in bins))
    x = Axis(bins[0]["low"], bins[-1]["high"], _LEFT, WIDTH - _RIGHT)
    y = Axis(0.0, most, _HEIGHT - _BOTTOM, _TOP)
    parts = [text("soft", 4, 15, "items")]
    for t in ticks(0.0, most, 4, whole=True):
        parts += [
            line("grid", _LEFT, y(t), WIDTH - _RIGHT, y(t)),
            text("soft", _LEFT - 8, y(t) + 4, count(t), anchor="end"),
        ]
    for b in bins:
        left, right, top = x(b["low"]) + 1, x(b["high"]) - 1, y(float(b["n"]))
        parts.append(bar(left, top, right - left, y(0) - top, *b["said"]))
    parts.append(line("axis", _LEFT, y(0), WIDTH - _RIGHT, y(0)))
    parts += [text("soft", x(t), y(0) + 18, f"{t:g}", anchor="middle") for t in ticks(x.low, x.high, 5)]
    parts.append(text("soft", (_LEFT + WIDTH - _RIGHT) / 2, _HEIGHT - 6, _BELOW, anchor="middle"))
    return svg(_HEIGHT, parts, "Distribution of item scores")
