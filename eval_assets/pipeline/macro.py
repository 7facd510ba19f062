"""Averages over tasks: the primary metric of each, tasks weighing alike.

Tasks are strata whose items may share clusters (questions on one picture in two tasks), so the variance comes
from influence values summed per cluster over all tasks (`stats.stratified_estimate`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.clusters import SharedMedia
from eval_assets.pipeline.comparing import NotComparable, pair
from eval_assets.pipeline.ingest import items_of
from eval_assets.pipeline.item_scores import ItemScores, NotScored, load_item_scores
from eval_assets.pipeline.metrics import task_metrics
from eval_assets.reporting.words import quote
from resources.store import Store
from stats import minimum_detectable_effect, paired_ratio_difference, stratified_estimate
from task_defs import TaskDef

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class _Part:
    """One task's items: numerators and denominators of each side, (n,) task and category, (n,) ties to others."""

    sides: list[tuple[np.ndarray, np.ndarray]]
    strata: list[tuple[str, str]]
    ties: list[list[str]]

    @property
    def adds_up(self) -> bool:
        """Whether items have a part in the metric: not where a function computes it from all of them at once."""
        import numpy as np

        return not any(len(top) and np.isnan(top).all() for top, _ in self.sides)


def macro_average(store: Store, key: str, tasks: Sequence[TaskDef]) -> dict[str, Any] | None:
    """The mean over tasks of the primary metric, with its interval; None for fewer than two tasks.

    `over`: the tasks in it; `left_out`: those where less is better, which no average with the others means anything.
    """
    rising, left_out = _rising(tasks)
    parts = {task.task: _part(store, task, [(key, None)]) for task in rising}
    left_out += [name for name, part in parts.items() if not part.adds_up]
    parts = {name: part for name, part in parts.items() if part.adds_up}
    if len(parts) < 2:
        return None
    tops, bottoms, strata, clusters = _joined(list(parts.values()), 0)
    found = stratified_estimate(tops, strata, clusters, denominator=bottoms, weights=_weights(strata))
    said = f"macro average over {len(parts)} tasks, clusters shared between tasks counted once"
    return {**asdict(found), "method": f"{said}; {found.method}", "over": list(parts), "left_out": left_out}


def macro_difference(store: Store, a: str, b: str, tasks: Sequence[TaskDef]) -> dict[str, Any] | None:
    """a minus b of the macro averages over the tasks that both answered, paired; None for fewer than two."""
    rising, left_out = _rising(tasks)
    parts: dict[str, _Part] = {}
    for task in rising:
        try:
            left, right = (load_item_scores(store, key, task.task) for key in (a, b))
            rows_a, rows_b = pair(left, right, f"{a} and {b} on {task.task}")
        except (NotScored, NotComparable):
            left_out.append(task.task)  # the task's own comparison says why
            continue
        part = _part(store, task, [(a, rows_a), (b, rows_b)])
        if part.adds_up:
            parts[task.task] = part
        else:
            left_out.append(task.task)
    if len(parts) < 2:
        return None
    top_a, bottom_a, strata, clusters = _joined(list(parts.values()), 0)
    top_b, bottom_b, _, _ = _joined(list(parts.values()), 1)
    found = paired_ratio_difference(
        top_a, bottom_a, top_b, bottom_b, clusters, strata=strata, weights=_weights(strata)
    )  # fmt: skip
    omega2 = found.n * found.se**2
    entry = {"task": "macro average", "metric": f"over {len(parts)} tasks", "a": a, "b": b, **asdict(found)}
    entry |= {"higher_is_better": True, "over": list(parts), "left_out": left_out, "level": 0.95}
    entry["detectable"] = minimum_detectable_effect(found.n, omega2=omega2) if omega2 > 0 else float("nan")
    return {**entry, "quote": quote(entry)}


def _rising(tasks: Sequence[TaskDef]) -> tuple[list[TaskDef], list[str]]:
    rising = [task for task in tasks if task_metrics(task)[0].higher_is_better]
    return rising, [task.task for task in tasks if task not in rising]


def _part(store: Store, task: TaskDef, sides: Sequence[tuple[str, np.ndarray | None]]) -> _Part:
    """The task's items, those of `sides` ((checkpoint, rows or None for all) in one order)."""
    import numpy as np

    metric = task_metrics(task)[0]
    key, rows = sides[0]
    items = load_item_scores(store, key, task.task)
    chosen = np.arange(len(items.ids)) if rows is None else rows
    names = _names(store, task, key, items)
    categories = items.by[metric.macro_over][chosen] if metric.macro_over else np.full(len(chosen), "")
    keep = categories != "" if metric.macro_over else np.full(len(chosen), True)  # no value is no category
    values = []
    for other, picked in sides:
        scores = items if other == key else load_item_scores(store, other, task.task)
        top, bottom = scores.take(chosen if picked is None else picked).parts(metric.metric)
        values.append((top[keep], np.ones(int(keep.sum())) if bottom is None else bottom[keep]))
    return _Part(
        values, [(task.task, category) for category in categories[keep]], [names[i] for i in chosen[keep]]
    )  # fmt: skip


def _names(store: Store, task: TaskDef, key: str, items: ItemScores) -> list[list[str]]:
    """(n,) what may tie an item to others: its cluster by the task's field, its media.

    A field's values mean the same in tasks that read the same source by the same field, and in no others.
    """
    source = task.task
    if task.cluster_key and task.dataset_path:
        name = task.cluster_key if isinstance(task.cluster_key, str) else task.cluster_key.name
        source = f"{task.dataset_path} {task.data_folder} {name}"
    rows = items_of(store, task).table().to_table(columns=["item_id", "cluster", "media_cluster"]).to_pylist()
    ties = {r["item_id"]: [f"media {r['media_cluster']}"] * bool(r["media_cluster"]) for r in rows}
    for r in rows:
        if r["cluster"] is not None and task.cluster_key:
            ties[r["item_id"]].append(f"{source} {r['cluster']}")
    return [ties.get(item_id) or [f"{task.task} alone {item_id}"] for item_id in items.ids]


def _joined(parts: Sequence[_Part], side: int) -> tuple[Any, Any, list[tuple[str, str]], list[str]]:
    """Numerators, denominators, strata and clusters of all tasks' items: a cluster is what ties connect."""
    import numpy as np

    ties = [names for part in parts for names in part.ties]
    connected = SharedMedia()
    for names in ties:
        connected.add(names)
    return (
        np.concatenate([part.sides[side][0] for part in parts]),
        np.concatenate([part.sides[side][1] for part in parts]),
        [label for part in parts for label in part.strata],
        [connected.root(names[0]) for names in ties],
    )


def _weights(strata: Sequence[tuple[str, str]]) -> dict[Any, float]:
    """Tasks alike, and alike the categories of a task."""
    names = set(strata)
    per_task: dict[str, int] = {}
    for task, _ in names:
        per_task[task] = per_task.get(task, 0) + 1
    return {(task, category): 1 / per_task[task] for task, category in names}
