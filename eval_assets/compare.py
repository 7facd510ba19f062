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

        for entry in paired_comparison(model_a="exp7.4000", model_b="gemini", tasks=["mmmu_val", "mathvista"]):
            print(entry["task"], entry["quote"])

    tasks: names; None: every task on which both are scored. margin: a fraction of 1, 0 or more: `p_noninferior` is
    then small where model_a is not worse by so much, `p_equivalent` where the two are within so much of each other.
    Returns one entry for each task and metric, the primary metric of a task first: task, metric, mean_diff, se,
    ci_low, ci_high, p_value, n, n_clusters, `detectable` (what so many items show with 80 % power), `quote` (all
    that in a sentence) and more, scores as fractions. `p_adjusted` is Holm's over the primary metrics of the tasks
    (NaN for the others). Raises NotScored, NotComparable, ValueError for a margin with a sign, and LookupError
    where there is nothing to compare.
    """
    from eval_assets.pipeline.comparing import compare_cells, holm
    from eval_assets.pipeline.item_scores import NotScored
    from eval_assets.reporting.words import quote
    from eval_assets.settings import check_margin
    from resources.store.records import summary
    from task_defs import load_task

    if margin is not None:
        check_margin(margin)
    home = store or Store()
    if tasks is None:
        scored: dict[str, set[str]] = {}
        for row in summary(home).rows("is_primary"):
            scored.setdefault(row["task"], set()).add(row["checkpoint"])
        tasks = sorted(task for task, points in scored.items() if {model_a, model_b} <= points)
        if not tasks:
            raise NotScored(f"there is no task on which both {model_a} and {model_b} are scored")
    found = [compare_cells(home, load_task(task), model_a, model_b, level=level, margin=margin) for task in tasks]
    primary = [{**e, "quote": quote(e)} for e in holm([entries[0] for entries in found])]
    others = [{**e, "p_adjusted": float("nan")} for entries in found for e in entries[1:]]
    order = list(tasks)
    return sorted([*primary, *others], key=lambda e: order.index(e["task"]))
