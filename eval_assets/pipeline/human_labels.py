"""What people said of a checkpoint's answers: read from a file, kept beside the scores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval_assets.pipeline.importers import ImportRefused
from eval_assets.pipeline.importers.detect import read_rows
from eval_assets.pipeline.importers.rows import dig
from eval_assets.pipeline.ingest import items_of
from eval_assets.pipeline.judge_models import task_judge
from eval_assets.versions import digest
from judges import Judge, LabelError
from judges.llm_base import LLMJudge
from resources.store import Store
from resources.store.records import human_labels
from resources.store.tables import quoted
from task_defs import TaskDef


@dataclass(frozen=True)
class ImportedLabels:
    """labels: how many were kept, of so many items of the task."""

    checkpoint: str
    task: str
    labels: int
    items: int


def import_labels(
    store: Store, path: Path, task: TaskDef, checkpoint: str, *, id_field: str, label_field: str
) -> ImportedLabels:
    """Keep a file's verdicts on the answers of a checkpoint in the place of those that were kept before.

    path: CSV (with a header), JSONL or Parquet. A verdict is one of the task's judge: a grade, or a number on its
    scale; an empty one is none. Raises ImportRefused where an id is unknown or twice there, or a verdict is no such.
    """
    ids = {row["item_id"] for batch in items_of(store, task).batches(["item_id"]) for row in batch}
    judge, found, unknown = task_judge(task), dict[str, str](), list[str]()
    for number, row in enumerate(read_rows(path)):
        item_id, label = str(dig(row, id_field, path, number)), dig(row, label_field, path, number)
        if label is None or not str(label).strip():
            continue
        if item_id not in ids:
            unknown.append(item_id)
            continue
        if item_id in found:
            raise ImportRefused(f"{path}, row {number + 1}: item {item_id!r} is there twice: one verdict an item")
        try:
            human_score(judge, label)
        except LabelError as error:
            raise ImportRefused(f"{path}, row {number + 1}, item {item_id!r}: {error}") from error
        found[item_id] = str(label)
    if unknown:
        raise ImportRefused(
            f"{len(unknown)} ids of {path} are no item of {task.task} "
            f"(such as {', '.join(map(repr, unknown[:3]))}); its items are called "
            f"{', '.join(map(repr, sorted(ids)[:3]))}: nothing was kept"
        )
    if not found:
        raise ImportRefused(f"{path} has no verdict in {label_field!r}")
    where = f"checkpoint = {quoted(checkpoint)} AND task = {quoted(task.task)}"
    shared = {"checkpoint": checkpoint, "task": task.task, "source": path.name, "at": datetime.now(UTC)}
    rows = [{**shared, "item_id": item_id, "label": label} for item_id, label in found.items()]
    human_labels(store).upsert(rows, replacing=where)
    return ImportedLabels(checkpoint, task.task, len(found), len(ids))


def forget_labels(store: Store, checkpoint: str, task: str) -> int:
    """Drop what was imported; how many there were."""
    there = len(stored_labels(store, checkpoint, task))
    human_labels(store).delete(f"checkpoint = {quoted(checkpoint)} AND task = {quoted(task)}")
    return there


def stored_labels(store: Store, checkpoint: str, task: str) -> dict[str, str]:
    """item id -> verdict as it was given."""
    rows = human_labels(store).rows(f"checkpoint = {quoted(checkpoint)} AND task = {quoted(task)}")
    return {row["item_id"]: row["label"] for row in rows}


def labels_version(store: Store, checkpoint: str, task: str) -> list[str]:
    """What a report's key says of them; empty where there are none."""
    labels = stored_labels(store, checkpoint, task)
    return [digest(labels)] if labels else []


def human_score(judge: Judge, label: Any) -> float:
    """A verdict in the unit of the judge's score. Raises LabelError."""
    if isinstance(judge, LLMJudge):
        return judge.human_score(label)
    try:
        value = float(label)
    except (TypeError, ValueError):
        value = -1.0
    if not 0 <= value <= 1:
        raise LabelError(f"{label!r} is no verdict of judge {judge.name!r}: expected a number from 0 to 1")
    return value
