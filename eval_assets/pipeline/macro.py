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
from eval_assets.pipeline.metrics import columns, task_metrics
from eval_assets.pipeline.units import of_whole_units, strata_of, units_of
from eval_assets.reporting.words import quote
from resources.store import Store
from stats import minimum_detectable_effect, paired_ratio_difference, stratified_estimate
from task_defs import TaskDef

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class _Part:
    """One task's units: numerators and denominators of each side, (u,) task and category, the weight
    of each category in its task (sum 1), (u,) ties to others."""

    sides: list[tuple[np.ndarray, np.ndarray]]
    strata: list[tuple[str, str]]
    weights: dict[Any, float]
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
    parts = {task.task: _part(store, task, [load_item_scores(store, key, task.task)]) for task in rising}
    left_out += [name for name, part in parts.items() if not part.adds_up]
    parts = {name: part for name, part in parts.items() if part.adds_up}
    if len(parts) < 2:
        return None
    tops, bottoms, strata, clusters = _joined(list(parts.values()), 0)
    found = stratified_estimate(tops, strata, clusters, denominator=bottoms, weights=_weights(list(parts.values())))
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
        part = _part(store, task, of_whole_units(task_metrics(task)[0], (left, rows_a), (right, rows_b)))
        if part.adds_up:
            parts[task.task] = part
        else:
            left_out.append(task.task)
    if len(parts) < 2:
        return None
    top_a, bottom_a, strata, clusters = _joined(list(parts.values()), 0)
    top_b, bottom_b, _, _ = _joined(list(parts.values()), 1)
    found = paired_ratio_difference(
        top_a, bottom_a, top_b, bottom_b, clusters, strata=strata, weights=_weights(list(parts.values()))
    )  # fmt: skip
    omega2 = found.n * found.se**2
    entry = {"task": "macro average", "metric": f"over {len(parts)} tasks", "a": a, "b": b, **asdict(found)}
    entry |= {"higher_is_better": True, "over": list(parts), "left_out": left_out, "level": 0.95}
    entry["detectable"] = minimum_detectable_effect(found.n, omega2=omega2) if omega2 > 0 else float("nan")
    return {**entry, "quote": quote(entry)}


def _rising(tasks: Sequence[TaskDef]) -> tuple[list[TaskDef], list[str]]:
    rising = [task for task in tasks if task_metrics(task)[0].higher_is_better]
    return rising, [task.task for task in tasks if task not in rising]


def _part(store: Store, task: TaskDef, sides: Sequence[ItemScores]) -> _Part:
    """The units of the task's metric (items, or groups of them); `sides`: scores on the same items in one order."""
    import numpy as np

    metric = task_metrics(task)[0]
    units, names = units_of(metric, sides[0]), _names(store, task, sides[0])
    values = []
    for side in sides:
        top, bottom = columns(metric, units.of(side))
        values.append((top, np.ones(len(top)) if bottom is None else bottom))
    first = units.of(sides[0])
    labels, weights = strata_of(metric, first)
    categories = [""] * len(first.ids) if labels is None else list(labels)
    weights = weights or dict.fromkeys(categories, 1 / max(1, len(set(categories))))
    ties = [[name for i in members for name in names[i]] for members in units.members()]
    named = {(task.task, category): weight for category, weight in weights.items()}
    return _Part(values, [(task.task, category) for category in categories], named, ties)


def _names(store: Store, task: TaskDef, items: ItemScores) -> list[list[str]]:
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


def _weights(parts: Sequence[_Part]) -> dict[Any, float]:
    """Tasks alike, and the categories of each as its metric weighs them."""
    return {label: weight for part in parts for label, weight in part.weights.items()}
