"""Two cells of one task, item by item."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from eval_assets.pipeline.item_scores import ItemScores, load_item_scores
from eval_assets.pipeline.metrics import detectable, difference, own_unit, task_metrics
from eval_assets.pipeline.units import of_whole_units
from eval_assets.reporting.words import quote
from resources.store import Store
from resources.store.records import cells
from task_defs import TaskDef


class NotComparable(ValueError):
    """The two cells did not answer the same questions; the message names some of `items`, which are all of them."""

    def __init__(self, message: str, items: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.items = tuple(items)


def compare_cells(
    store: Store,
    task: TaskDef,
    a: str,
    b: str,
    *,
    variant: str = "",
    level: float = 0.95,
    margin: float | None = None,
    all_items: bool = False,
) -> list[dict[str, Any]]:
    """a minus b for each metric of the task, the primary one first.

    Items are paired by id and by the hash of question and label. Each entry has mean_diff, se,
    ci_low, ci_high, p_value, n, n_clusters, both sides' names, how many items only one has, what
    so many items could have detected, and `quote`, the same in a sentence.
    margin: a fraction of 1, 0 or more. all_items: items that only one side has are refused too.
    Raises NotScored, NotComparable, and ValueError for a margin with a sign.
    """
    refuse_other_judges(store, task.task, a, b, variant)
    left = load_item_scores(store, a, task.task, variant)
    right = load_item_scores(store, b, task.task, variant)
    remedy = (
        "They answered different versions of the data set: bring both up to date with "
        f"`evals run --checkpoint {b} --tasks {task.task}` and the same for {a}, or compare with another checkpoint"
    )
    rows_a, rows_b = pair(left, right, f"{a} and {b} on {task.task}", remedy, all_items=all_items)
    only = {"only_a": len(left.ids) - len(rows_a), "only_b": len(right.ids) - len(rows_b)}
    found = []
    for metric in task_metrics(task):
        sides = of_whole_units(metric, (left, rows_a), (right, rows_b))
        result = asdict(difference(metric, *sides, level=level, margin=margin))
        names = {"task": task.task, "metric": metric.name, "a": a, "b": b}
        entry = {**names, **result, **only, "level": level, "margin": margin}
        entry |= {"higher_is_better": metric.higher_is_better, **detectable(metric, *sides, result)}
        entry |= {"own_unit": True} if own_unit(metric, *sides) else {}
        found.append({**entry, "quote": quote(entry)})
    return found


def refuse_other_judges(store: Store, task: str, a: str, b: str, variant: str = "") -> None:
    """Raises NotComparable where two cells were judged by different models, or by the same differently asked."""
    judges = {side: _judged_by(store, side, task, variant) for side in (a, b)}
    if judges[a] != judges[b] and all(judges.values()):
        raise NotComparable(
            f"{a} and {b} on {task} were judged by different judge models, or by different prompts: bring both up to "
            f"date with `evals run --checkpoint {b} --tasks {task}` and the same for {a}; answers are not asked again"
        )


def _judged_by(store: Store, checkpoint: str, task: str, variant: str) -> str:
    record = cells(store).get(checkpoint=checkpoint, task=task, variant=variant, stage="scores")
    return str(json.loads(record["details"]).get("judged_by", "")) if record else ""


def pair(
    a: ItemScores, b: ItemScores, what: str, remedy: str = "One side is stale: run it again", *, all_items: bool = False
) -> tuple[Any, Any]:
    """Row numbers of the shared items on either side, in a's order; NotComparable where contents differ.

    all_items: also where one side has items that the other lacks. remedy: what to do, the end of the message.
    """
    import numpy as np

    place = {item_id: i for i, item_id in enumerate(b.ids)}
    rows = [(i, place[item_id]) for i, item_id in enumerate(a.ids) if item_id in place]
    rows_a, rows_b = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    differing = [str(i) for i in a.ids[rows_a[a.hashes[rows_a] != b.hashes[rows_b]]]]
    if differing:
        many = f"{len(differing)} items have the same id but another question or label ({_some(differing)})"
        raise NotComparable(f"{what}: {many}. {remedy}", differing)
    if not rows:
        raise NotComparable(f"{what} have no item in common. {remedy}", [str(i) for i in a.ids])
    first, second = _alone(a, rows_a), _alone(b, rows_b)
    if all_items and (first or second):
        many = f"{len(first)} items are on the first side only, {len(second)} on the second only"
        raise NotComparable(f"{what}: {many} ({_some(first + second)}). {remedy}", first + second)
    return rows_a, rows_b


def _alone(side: ItemScores, paired: Any) -> list[str]:
    import numpy as np

    return [str(i) for i in np.delete(side.ids, paired)]


def _some(items: Sequence[str], most: int = 10) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(map(repr, items[:most])) + more


def holm(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same entries with `p_adjusted`: Holm over them all as one family."""
    from stats import adjust_pvalues

    adjusted = adjust_pvalues([e["p_value"] for e in entries], method="holm") if entries else []
    return [{**e, "p_adjusted": float(p)} for e, p in zip(entries, adjusted, strict=True)]


def sentence(entry: dict[str, Any]) -> str:
    """Who against whom on what, and the difference as it can be quoted."""
    return f"{entry['a']} on {entry['task']}, {entry['metric']}: {quote(entry)}"
