"""Answers from another harness's log: matched with a task's items, kept as a recorded checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval_assets.pipeline.ingest import items_of
from resources.models.checkpoint import Checkpoint
from resources.models.recorded import store_answers
from resources.store import Store, check_key
from resources.store.records import checkpoints
from task_defs import TaskDef


class ImportRefused(ValueError):
    """The file's answers cannot be matched with the task's items; the message says why."""


@dataclass
class Imported:
    """How many answers were kept; which items have none; how ids were matched."""

    checkpoint: str
    task: str
    answers: int
    items: int
    items_without: int
    matched_by: str
    unmatched: list[str] = field(default_factory=list)


def import_answers(
    store: Store, path: Path, task: TaskDef, name: str, *, id_field: str | None, response_field: str
) -> Imported:
    """Keep a file's answers as the recorded checkpoint `name`, for this task.

    path:     JSONL or Parquet, one answer a row; several rows of one item are its samples.
    id_field: holds the item's id, or a field of the task's rows whose values are unique (a question,
        say); dots lead into nested fields. None: the row number, if there are as many rows as items.
    Raises ImportRefused where rows match no item (naming some) or two ways to match compete.
    """
    check_key(name)
    known = checkpoints(store).get(checkpoint=name)
    if known is not None and known["model"] != "recorded":
        raise ImportRefused(f"{name!r} is a checkpoint of model {known['model']!r} already: choose another --name")
    rows = list(_rows(path, id_field, response_field))
    ids = {row["item_id"] for batch in items_of(store, task).batches(["item_id"]) for row in batch}
    matched_by = f"item id = {id_field}" if id_field else "row number"
    translate: dict[str, str] = {}
    if id_field is None:
        if len(rows) != len(ids):
            raise ImportRefused(f"{path} has {len(rows)} rows and {task.task} {len(ids)} items: name the --id-field")
        translate = {str(i): item_id for i, item_id in enumerate(_ids_in_order(store, task))}
    elif not ids & {item_id for item_id, _ in rows}:
        translate = _by_field(store, task, id_field)
        matched_by = f"the items' field {id_field}"
    found: dict[str, list[str]] = {}
    unmatched = []
    for given, text in rows:
        item_id = translate.get(given, given)
        (found.setdefault(item_id, []).append(text) if item_id in ids else unmatched.append(given))
    if not found or len(unmatched) > len(rows) // 2:
        raise ImportRefused(
            f"{len(unmatched)} of {len(rows)} rows of {path} match no item of {task.task} by {id_field!r} "
            f"(such as {', '.join(map(repr, unmatched[:3]))}); "
            f"its items are called {', '.join(map(repr, sorted(ids)[:3]))}"
        )
    uri = store.table("recorded", name)
    answers = [(item_id, sample, text) for item_id, texts in found.items() for sample, text in enumerate(texts)]
    store_answers(uri, task.task, answers)
    checkpoints(store).upsert([Checkpoint(name, "recorded", uri).record()])
    return Imported(name, task.task, len(answers), len(ids), len(ids - set(found)), matched_by, unmatched[:20])


def _rows(path: Path, id_field: str | None, response_field: str) -> Iterator[tuple[str, str]]:
    for number, row in enumerate(read_rows(path)):
        item_id = number if id_field is None else dig(row, id_field, path, number)
        text = dig(row, response_field, path, number)
        yield str(item_id), "" if text is None else text if isinstance(text, str) else json.dumps(text)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL or Parquet file. Raises ImportRefused, naming the line."""
    if not path.is_file():
        raise ImportRefused(f"no file {path}")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(path).iter_batches(1024):
            yield from batch.to_pylist()
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except UnicodeDecodeError as error:
                    raise ImportRefused(f"{path}:{number}: not UTF-8 ({error.reason})") from error
                except ValueError as error:
                    raise ImportRefused(f"{path}:{number}: not JSON ({error})") from error
                if not isinstance(row, dict):
                    raise ImportRefused(f"{path}:{number}: expected an object, found a {type(row).__name__}")
                yield row


def dig(row: dict[str, Any], name: str, path: Path, number: int) -> Any:
    """A field of row `number` (from 0) of a file; dots lead into nested ones. Raises ImportRefused."""
    value: Any = row
    for part in [name] if name in row else name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ImportRefused(f"{path}, row {number + 1}: no field {name!r}; it has {', '.join(row)}")
        value = value[part]
    return value


def _ids_in_order(store: Store, task: TaskDef) -> Iterator[str]:
    for batch in items_of(store, task).batches(["item_id"]):
        yield from (row["item_id"] for row in batch)


def _by_field(store: Store, task: TaskDef, name: str) -> dict[str, str]:
    """Value of a field -> item id, where the items have that field and its values are unique."""
    found: dict[str, str] = {}
    for batch in items_of(store, task).batches(["item_id", "doc"]):
        for row in batch:
            value = json.loads(row["doc"]).get(name)
            if value is not None and found.setdefault(str(value), row["item_id"]) != row["item_id"]:
                raise ImportRefused(f"two items of {task.task} have the same {name!r}: it cannot tell answers apart")
    return found
