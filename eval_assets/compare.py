"""Paired comparison of two checkpoints, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from resources.store import Store


def paired_comparison(
    model_a: str,
    model_b: str,
    tasks: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    margin: float | None = None,
    store: Store | None = None,
) -> list[dict[str, Any]]:
    """model_a minus model_b on the items that both answered.

    tasks: names; None: every task on which both are scored. Returns one entry for each task and
    metric: task, metric, mean_diff, se, ci_low, ci_high, p_value, n, n_clusters and more, scores as
    fractions. `p_adjusted` is Holm's over the primary metrics of the tasks (NaN for the others).
    Raises NotScored, NotComparable, and LookupError where there is nothing to compare.
    """
    from eval_assets.pipeline.comparing import compare_cells, holm
    from eval_assets.pipeline.item_scores import NotScored
    from resources.store.records import summary
    from task_defs import load_task

    home = store or Store()
    if tasks is None:
        scored: dict[str, set[str]] = {}
        for row in summary(home).rows("is_primary"):
            scored.setdefault(row["task"], set()).add(row["checkpoint"])
        tasks = sorted(task for task, points in scored.items() if {model_a, model_b} <= points)
        if not tasks:
            raise NotScored(f"there is no task on which both {model_a} and {model_b} are scored")
    found = [compare_cells(home, load_task(task), model_a, model_b, level=level, margin=margin) for task in tasks]
    primary = holm([entries[0] for entries in found])
    others = [{**e, "p_adjusted": float("nan")} for entries in found for e in entries[1:]]
    order = list(tasks)
    return sorted([*primary, *others], key=lambda e: order.index(e["task"]))
