"""What guessing would score: shown beside a score where it is known, never subtracted from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from eval_assets.pipeline.cell import Cell
from eval_assets.pipeline.ingest import items_of
from eval_assets.pipeline.metrics import TaskMetric, task_metrics
from eval_assets.pipeline.questions import dataset_record
from resources.store import Store
from resources.store.records import digests
from task_defs import TaskDef, TaskError, compile_task
from task_defs.digests import label_digest_parts

# Judges whose score of a guessed option is 1 for the label and 0 for any other.
_ONE_RIGHT = {"choice", "exact", "contains", "math", "mmmu"}


def chance_levels(store: Store, cell: Cell) -> dict[str, dict[str, Any]]:
    """metric -> {"chance": share that guessing gets, "chance_from": how that is known}; unknown is absent.

    The task's `metadata: {chance: ...}` comes first: a number for the primary metric, or metric -> number.
    Otherwise accuracy has 0.5 for a yes/no judge, and the mean over items of 1 / number of options for
    multiple choice. Items without options among them leave it unknown, unless `chance_free_form` (0, say) in
    the metadata is what an item without options counts. `chance_field` names a field of the rows that says what a
    guess scores there on the judge's first metric; averages over categories are taken of it as of the scores.
    Raises TaskError for a level outside 0 to 1.
    """
    task, metrics = cell.task, task_metrics(cell.task)
    found: dict[str, dict[str, Any]] = {}
    accuracies = [m for m in metrics if m.metric.name.startswith("accuracy")]
    if task.judge["name"] == "yes_no":
        items = [m for m in accuracies if not m.worst_over]
        found |= {m.name: {"chance": 0.5, "chance_from": "yes or no"} for m in items}
    elif task.doc_to_choice is not None and task.judge["name"] in _ONE_RIGHT:
        level = _of_options(store, cell)
        # A macro average weighs the items otherwise, and of a group all must be guessed.
        plain = [] if level is None else [m for m in accuracies if m.plain]
        found |= {m.name: {"chance": level, "chance_from": "one of each item's options"} for m in plain}
    if field := task.metadata.get("chance_field"):
        first = metrics[0].metric
        means = [m for m in metrics if m.metric == first and first.kind == "mean" and not m.worst_over]
        rows = _of_rows(store, cell, str(field))
        found |= {m.name: {"chance": _mean(m, *rows), "chance_from": f"the rows' field {field}"} for m in means}
    given = task.metadata.get("chance")
    levels = given if isinstance(given, Mapping) else {} if given is None else {metrics[0].name: given}
    for name, level in levels.items():
        if name not in {m.name for m in metrics}:
            raise TaskError(f"task {task.task}: metadata.chance names {name!r}, which is no metric of the task")
        found[name] = {"chance": _share(task, "chance", level), "chance_from": "the task's metadata"}
    return found


def chance_definition(task: TaskDef) -> list[Any]:
    """What of a task's definition decides its chance levels beside choices and judge; [] if nothing does."""
    given = [[name, task.metadata.get(name)] for name in ("chance", "chance_free_form", "chance_field")]
    return [entry for entry in given if entry[1] is not None]


def _of_rows(store: Store, cell: Cell, field: str) -> tuple[list[float], dict[str, list[str]]]:
    """What guessing scores on each of the cell's items, and their categories. Raises TaskError."""
    functions, levels = compile_task(cell.task), []
    by: dict[str, list[str]] = {name: [] for name in cell.task.report_by}
    for row in _first(items_of(store, cell.task).batches(["item_id", "doc"]), cell.n_asked_items):
        doc = json.loads(row["doc"])
        levels.append(_share(cell.task, f"chance_field ({field}, item {row['item_id']})", doc.get(field)))
        categories = functions.categories(doc, row["item_id"])
        for name, values in by.items():
            values.append(categories.get(name, ""))
    return levels, by


def _mean(metric: TaskMetric, levels: list[float], by: dict[str, list[str]], depth: int = 0) -> float:
    """As the metric averages: over items, or over the categories of its fields one inside the other."""
    if depth == len(metric.macro_over):
        return sum(levels) / len(levels)
    parts: dict[str, list[int]] = {}
    for i, value in enumerate(by[metric.macro_over[depth]]):
        if value:
            parts.setdefault(value, []).append(i)
    means = [_mean(metric, [levels[i] for i in rows], {name: [values[i] for i in rows] for name, values in by.items()},
                   depth + 1) for rows in parts.values()]  # fmt: skip
    return sum(means) / len(means) if means else float("nan")


def _of_options(store: Store, cell: Cell) -> float | None:
    """Mean of 1 / number of options over the cell's items; None where an item has none and nothing is said of it."""
    task, limit = cell.task, cell.variant.limit
    key = {
        "task": task.task, "version": dataset_record(store, task)["version"], "kind": "chance",
        "definition": label_digest_parts(task)["doc_to_choice"],
    }  # fmt: skip
    known = digests(store).get(**key) if limit is None else None
    if known is None:
        counts = _counts(store, task, cell.n_asked_items)
        if limit is None:  # read once for each data set version and definition of choices
            digests(store).upsert([{**key, "digest": json.dumps(counts)}])
    else:
        counts = json.loads(known["digest"])
    total, with_options, n = counts
    free = task.metadata.get("chance_free_form")
    if not n or (with_options < n and free is None):
        return None
    return float(total + (n - with_options) * (_share(task, "chance_free_form", free) if free is not None else 0)) / n


def _counts(store: Store, task: TaskDef, limit: int) -> tuple[float, int, int]:
    """Sum of 1 / number of options, items with options, items."""
    functions, total, with_options, n = compile_task(task), 0.0, 0, 0
    for row in _first(items_of(store, task).batches(["item_id", "doc"]), limit):
        choices = functions.choices(json.loads(row["doc"]), row["item_id"])
        n += 1
        if choices:
            total, with_options = total + 1 / len(choices), with_options + 1
    return total, with_options, n


def _first(batches: Iterable[list[dict[str, Any]]], limit: int) -> Iterable[dict[str, Any]]:
    for batch in batches:
        yield from batch[:limit]
        limit -= len(batch)
        if limit <= 0:
            return


def _share(task: TaskDef, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise TaskError(f"task {task.task}: metadata.{name} must be a number from 0 to 1 (a coin: 0.5), not {value!r}")
    return float(value)
