"""Two cells of one task, item by item."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from eval_assets.pipeline.item_scores import ItemScores, load_item_scores
from eval_assets.pipeline.metrics import difference, task_metrics
from resources.store import Store
from task_defs import TaskDef


class NotComparable(ValueError):
    """The two cells did not answer the same questions; the message names some."""


def compare_cells(
    store: Store, task: TaskDef, a: str, b: str, *, variant: str = "", level: float = 0.95, margin: float | None = None
) -> list[dict[str, Any]]:
    """a minus b for each metric of the task, the primary one first.

    Items are paired by id and by the hash of question and label. Each entry has mean_diff, se,
    ci_low, ci_high, p_value, n, n_clusters, both sides' names, and how many items only one has.
    Raises NotScored and NotComparable.
    """
    left = load_item_scores(store, a, task.task, variant)
    right = load_item_scores(store, b, task.task, variant)
    rows_a, rows_b = pair(left, right, f"{a} and {b} on {task.task}")
    left, only = left.take(rows_a), {"only_a": len(left.ids) - len(rows_a), "only_b": len(right.ids) - len(rows_b)}
    right = right.take(rows_b)
    found = []
    for metric in task_metrics(task):
        result = asdict(difference(metric, left, right, level=level, margin=margin))
        sides = {"task": task.task, "metric": metric.name, "a": a, "b": b}
        found.append({**sides, **result, **only, "higher_is_better": metric.higher_is_better})
    return found


def pair(a: ItemScores, b: ItemScores, what: str) -> tuple[Any, Any]:
    """Row numbers of the shared items on either side, in a's order; NotComparable where contents differ."""
    import numpy as np

    place = {item_id: i for i, item_id in enumerate(b.ids)}
    rows = [(i, place[item_id]) for i, item_id in enumerate(a.ids) if item_id in place]
    rows_a, rows_b = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    differing = rows_a[a.hashes[rows_a] != b.hashes[rows_b]]
    if len(differing):
        names = ", ".join(repr(str(i)) for i in a.ids[differing][:5])
        raise NotComparable(
            f"{what}: {len(differing)} items have the same id but another question or label ({names}). "
            "One side is stale: run it again"
        )
    if not len(rows_a):
        raise NotComparable(f"{what} have no item in common")
    return rows_a, rows_b


def holm(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same entries with `p_adjusted`: Holm over them all as one family."""
    from stats import adjust_pvalues

    adjusted = adjust_pvalues([e["p_value"] for e in entries], method="holm") if entries else []
    return [{**e, "p_adjusted": float(p)} for e, p in zip(entries, adjusted, strict=True)]


def sentence(entry: dict[str, Any]) -> str:
    """`+2.1 points [+0.8, +3.4], p = 0.003` and who against whom."""
    p = entry.get("p_adjusted", entry["p_value"])
    said = "p n/a" if p is None or math.isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    low, high = 100 * entry["ci_low"], 100 * entry["ci_high"]
    return (
        f"{entry['a']} vs {entry['b']} on {entry['task']}: {entry['metric']} {100 * entry['mean_diff']:+.1f} points "
        f"[{low:+.1f}, {high:+.1f}], {said}"
    )
