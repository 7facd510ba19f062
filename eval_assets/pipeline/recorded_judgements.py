"""A judge's answers from elsewhere, by checkpoint, item and run: a published judging can be aggregated anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from eval_assets.pipeline.importers import ImportRefused
from eval_assets.pipeline.importers.detect import read_rows
from eval_assets.pipeline.importers.rows import dig
from eval_assets.pipeline.ingest import items_of
from judges.asking import Ask, Reply
from resources.store import Store
from resources.store.tables import open_table, quoted, replace, storable
from task_defs import TaskDef

_SCHEMA = pa.schema(
    [
        ("checkpoint", pa.string()),
        ("model", pa.string()),  # the judge model's name in the task
        ("item_id", pa.string()),
        ("run", pa.int32()),
        ("slot", pa.string()),
        ("text", pa.string()),
    ]
)


@dataclass
class ImportedJudgements:
    """How many judge answers were kept, in how many runs; which items have none; rows that match no item."""

    checkpoint: str
    task: str
    model: str
    answers: int
    runs: int
    items: int
    items_without: int
    unmatched: list[str] = field(default_factory=list)


def import_judgements(
    store: Store, paths: Sequence[Path], task: TaskDef, checkpoint: str, *, model: str, id_field: str, text_field: str
) -> ImportedJudgements:
    """Keep files of judge answers, one run a file, in the place of what was kept for this checkpoint and model.

    paths:      JSONL or Parquet with one answer a row, or JSON: a list of rows, or a mapping from the item's id to a
                row (which may then lack `id_field`). text_field: a text, or a list of texts, which are runs; dots lead
                into nested fields.
    Raises ImportRefused where a file cannot be read, an id is there twice in a run, or most rows match no item.
    """
    ids = {row["item_id"] for batch in items_of(store, task).batches(["item_id"]) for row in batch}
    rows: list[dict[str, Any]] = []
    unmatched: dict[str, None] = {}
    total = first = 0
    for path in paths:
        seen: set[str] = set()
        longest = 1
        for item_id, texts in _answers(path, id_field, text_field):
            total += 1
            if item_id in seen:
                raise ImportRefused(
                    f"{path}: item {item_id!r} is there twice: one run a file, or a list of texts a row"
                )
            seen.add(item_id)
            if item_id not in ids:
                unmatched[item_id] = None
                continue
            longest = max(longest, len(texts))
            one = {"checkpoint": checkpoint, "model": model, "item_id": item_id, "slot": ""}
            rows += [{**one, "run": first + k, "text": storable(text)} for k, text in enumerate(texts)]
        first += longest
    if not rows or len(unmatched) > total // 2:
        raise ImportRefused(
            f"{len(unmatched)} of {total} rows match no item of {task.task} by {id_field!r} "
            f"(such as {', '.join(map(repr, list(unmatched)[:3]))}); "
            f"its items are called {', '.join(map(repr, sorted(ids)[:3]))}"
        )
    kept = _table(store, task.task, f"NOT (checkpoint = {quoted(checkpoint)} AND model = {quoted(model)})")
    replace(_uri(store, task.task), pa.concat_tables([kept, pa.Table.from_pylist(rows, _SCHEMA)]), _SCHEMA)
    without = ids - {row["item_id"] for row in rows}
    return ImportedJudgements(
        checkpoint, task.task, model, len(rows), first, len(ids), len(without), list(unmatched)[:20]
    )  # fmt: skip


def forget_judgements(store: Store, task: str, checkpoint: str) -> int:
    """Drop the imported judge answers of a checkpoint; their number. The task's judge model is asked from then on."""
    kept = _table(store, task, f"checkpoint != {quoted(checkpoint)}")
    gone = _table(store, task).num_rows - kept.num_rows
    if gone:
        replace(_uri(store, task), kept, _SCHEMA)
    return gone


def recorded_runs(store: Store, task: str, checkpoint: str, models: Sequence[str]) -> int:
    """How many runs were imported for a checkpoint, of all of these judge models; 0: none."""
    rows = _of(store, task, checkpoint, models)
    if rows.num_rows == 0 or set(rows["model"].to_pylist()) != set(models):
        return 0
    return 1 + int(max(rows["run"].to_pylist()))


def recorded_digest(store: Store, task: str, checkpoint: str, models: Sequence[str]) -> str:
    """Of what was imported; "" where nothing was."""
    if not recorded_runs(store, task, checkpoint, models):
        return ""
    whole = hashlib.sha256()
    names = ("model", "item_id", "run", "slot", "text")
    for row in _of(store, task, checkpoint, models).sort_by([(n, "ascending") for n in names[:4]]).to_pylist():
        whole.update(json.dumps([row[name] for name in names]).encode())
    return whole.hexdigest()[:32]


class RecordedReplies:
    """A judge's client that answers from what was imported."""

    def __init__(self, store: Store, task: str, checkpoint: str, models: Sequence[str]) -> None:
        rows = _of(store, task, checkpoint, models).to_pylist()
        self._texts = {(r["model"], r["item_id"], r["run"], r["slot"]): r["text"] for r in rows}

    async def ask(self, asks: Sequence[Ask]) -> list[Reply]:
        found = (self._texts.get((a.model, a.item_id, a.sample, a.slot)) for a in asks)
        missing = Reply(failure="judge's answer was not imported")
        return [missing if text is None else Reply(text) for text in found]


def _answers(path: Path, id_field: str, text_field: str) -> Iterator[tuple[str, list[str]]]:
    for number, row in enumerate(_rows(path, id_field)):
        texts = dig(row, text_field, path, number)
        yield str(dig(row, id_field, path, number)), [str(t) for t in (texts if isinstance(texts, list) else [texts])]


def _rows(path: Path, id_field: str) -> Iterator[dict[str, Any]]:
    if path.suffix != ".json":
        yield from read_rows(path)
        return
    if not path.is_file():
        raise ImportRefused(f"no file {path}")
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ImportRefused(f"{path}: not JSON ({error})") from error
    rows = [{id_field: k, **v} for k, v in data.items() if isinstance(v, dict)] if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ImportRefused(f"{path}: expected a list of objects, or a mapping from item ids to objects")
    yield from rows


def _of(store: Store, task: str, checkpoint: str, models: Sequence[str]) -> pa.Table:
    names = ", ".join(map(quoted, models))
    return _table(store, task, f"checkpoint = {quoted(checkpoint)} AND model IN ({names})")


def _table(store: Store, task: str, where: str | None = None) -> pa.Table:
    table = open_table(_uri(store, task))
    return _SCHEMA.empty_table() if table is None else table.to_table(filter=where).cast(_SCHEMA)


def _uri(store: Store, task: str) -> str:
    return store.table("recorded_judgements", task)
