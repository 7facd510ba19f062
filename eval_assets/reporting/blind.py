"""What a blind run says, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval_assets.reporting.words import LEVEL, MISSING, p_words, percent, score, step


def blind_sentence(entry: Mapping[str, Any], chance: float | None = None) -> str:
    """One entry of `blind_comparison`, to be quoted. chance: what guessing scores, where it is known.

    `m on pope: accuracy 85.9 % with the media, 60.1 % without (chance 50.0 %): +25.8 points of the score need
    them, 95 % CI +24.0 to +27.6, p < 0.001, 8910 items in 500 clusters`.
    """
    n, clusters = entry["n"], entry["n_clusters"]
    beside = "" if chance is None else f" (chance {percent(chance)} %)"
    sign, unit = ("", "") if entry.get("own_unit") else (" %", " points")
    seen, unseen = (f"{score(entry, side)}{sign}" for side in ("with_media", "without_media"))
    said = (
        f"{entry['checkpoint']} on {entry['task']}: {entry['metric']} {seen} with the media, {unseen} without{beside}: "
    )
    diff, low, high = (step(entry, name) for name in ("mean_diff", "ci_low", "ci_high"))
    where = f"{n} items" + (f" in {clusters} clusters" if clusters != n else "")
    if MISSING in (diff, low, high):
        return f"{said}whether it needs them cannot be told ({entry['note'] or 'no interval'}; {where})"
    gain = entry["mean_diff"] if entry["higher_is_better"] else -entry["mean_diff"]
    if entry["ci_low"] <= 0 <= entry["ci_high"]:
        verdict = "do not show that the score needs them"
    else:
        verdict = "of the score need them" if gain > 0 else "are lost by having them"
    return f"{said}{diff}{unit} {verdict}, {LEVEL} CI {low} to {high}, {p_words(entry['p_value'])}, {where}"
