"""The items of a cell: filtered and paged by DuckDB over the stored verdicts, whatever their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Literal, get_args

import duckdb
import pyarrow as pa
from cachetools import LRUCache, cached

from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.pipeline.ingest import items_of
from eval_assets.pipeline.item_scores import stored_scores
from eval_assets.pipeline.questions import COLUMNS, Question, question
from resources.store import Store
from resources.store.outputs import OutputsTable
from resources.store.tables import one_of, open_table
from task_defs import TaskDef

PER_PAGE = 25
Show = Literal["all", "wrong", "right", "unscored", "flagged", "disagree"]
SHOWS: tuple[Show, ...] = get_args(Show)
_KEPT = 256 * 2**20  # bytes of verdicts in memory; a table larger than that is read each time
# What a filter reads of a verdict; the rest is read for the items of one page only.
_READ = ("item_id", "position", "sample", "score", "answer", "flags", "unscored")
_CONDITIONS: dict[Show, str] = {
    "all": "true", "wrong": "score < 1", "right": "score >= 1", "unscored": "score IS NULL",
    "flagged": "len(flags) > 0", "disagree": "true",
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Which items. field, value: a category; text: in the question or the answer. page: from 0.

    scores: an item's mean score lies between these, both included.
    """

    show: Show = "all"
    field: str = ""
    value: str = ""
    flag: str = ""
    text: str = ""
    scores: tuple[float, float] | None = None
    page: int = 0


@dataclass(frozen=True)
class Sample:
    """One answer with its verdict, as stored; `response`: the row of the answer, if there is one."""

    verdict: dict[str, Any]
    response: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """An item and its samples. question: None where the task's data holds it no more."""

    item_id: str
    position: int
    question: Question | None
    samples: list[Sample]


@dataclass(frozen=True)
class Found:
    """wanted: as asked for, the page one that there is. total: items that match; shown: those of the page.

    categories: field -> its values, most frequent first.
    """

    wanted: Wanted
    total: int
    shown: list[Shown]
    categories: dict[str, list[str]]
    flags: list[str]


def find(store: Store, task: TaskDef, checkpoint: str, variant: str, wanted: Wanted) -> Found:
    """The page of items that was asked for. Raises NotScored."""
    dataset = stored_scores(store, checkpoint, task.task, variant)
    verdicts = _verdicts(dataset.uri, dataset.version)
    connection = duckdb.connect()
    connection.register("verdicts", verdicts)
    where, given = _where(store, task, connection, verdicts, wanted)
    having = "count(DISTINCT coalesce(answer, chr(0))) > 1" if wanted.show == "disagree" else "true"
    if wanted.scores:
        having += " AND avg(score) BETWEEN ? AND ?"
        given += wanted.scores
    matched = f"SELECT position FROM verdicts WHERE {where} GROUP BY position HAVING {having}"  # noqa: S608
    (total,) = connection.execute(f"SELECT count(*) FROM ({matched})", given).fetchone() or (0,)  # noqa: S608
    wanted = replace(wanted, page=min(wanted.page, max(0, total - 1) // PER_PAGE))
    start = wanted.page * PER_PAGE
    rows = connection.execute(f"{matched} ORDER BY position LIMIT {PER_PAGE} OFFSET {start}", given).fetchall()
    shown = _shown(store, task, checkpoint, dataset, [position for (position,) in rows])
    return Found(wanted, total, shown, _categories(connection, verdicts), _flags(connection))


@cached(LRUCache(_KEPT, getsizeof=lambda table: table.nbytes), lock=Lock())
def _verdicts(uri: str, version: int) -> pa.Table:
    """Of one version of a table, so that paging reads it once."""
    import lance

    dataset = lance.dataset(uri, version=version)
    categories = [name for name in dataset.schema.names if name.startswith("by_")]
    return dataset.to_table(columns=[*_READ, *categories])


def _where(
    store: Store, task: TaskDef, connection: duckdb.DuckDBPyConnection, verdicts: pa.Table, wanted: Wanted
) -> tuple[str, list[Any]]:
    conditions: list[str] = [_CONDITIONS[wanted.show]]
    given: list[Any] = []
    if f"by_{wanted.field}" in verdicts.column_names:  # a name of ours, never the user's, goes into the query
        conditions.append(f'"by_{wanted.field}" = ?')
        given.append(wanted.value)
    if wanted.flag:
        conditions.append("list_contains(flags, ?)")
        given.append(wanted.flag)
    if wanted.text:
        connection.register("items", items_of(store, task).table().to_table(columns=["item_id", "doc"]))
        conditions.append(
            "(contains(lower(answer), lower(?)) OR item_id IN "
            "(SELECT item_id FROM items WHERE contains(lower(doc), lower(?)) OR item_id = ?))"
        )
        given += [wanted.text] * 3
    return " AND ".join(conditions), given


def _categories(connection: duckdb.DuckDBPyConnection, verdicts: pa.Table, most: int = 50) -> dict[str, list[str]]:
    found = {}
    for name in verdicts.column_names:
        if name.startswith("by_"):
            rows = connection.execute(
                f'SELECT "{name}" FROM verdicts WHERE "{name}" IS NOT NULL GROUP BY 1 '  # noqa: S608
                f"ORDER BY count(*) DESC, 1 LIMIT {most}"
            ).fetchall()
            found[name.removeprefix("by_")] = [value for (value,) in rows]
    return found


def _flags(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT DISTINCT unnest(flags) AS flag FROM verdicts ORDER BY 1").fetchall()
    return [flag for (flag,) in rows]


def show_items(store: Store, task: TaskDef, checkpoint: str, variant: str, item_ids: Sequence[str]) -> list[Shown]:
    """These items with the checkpoint's samples, in the data set's order. Raises NotScored."""
    dataset = stored_scores(store, checkpoint, task.task, variant)
    if not item_ids:
        return []
    rows = dataset.to_table(columns=["position"], filter=one_of("item_id", item_ids))["position"].to_pylist()
    return _shown(store, task, checkpoint, dataset, sorted(set(rows)))


def _shown(store: Store, task: TaskDef, checkpoint: str, dataset: Any, positions: list[int]) -> list[Shown]:
    if not positions:
        return []
    where = f"position IN ({', '.join(map(str, positions))})"
    verdicts: dict[int, list[dict[str, Any]]] = {position: [] for position in positions}
    for row in dataset.to_table(filter=where).to_pylist():
        verdicts[row["position"]].append(row)
    everything = [v for rows in verdicts.values() for v in rows]
    responses = _responses(store, task.task, checkpoint, everything)
    asked = _questions(store, task, [rows[0]["item_id"] for rows in verdicts.values()], positions)
    return [
        Shown(rows[0]["item_id"], position, asked.get(rows[0]["item_id"]), [
            Sample(v, responses.get((v["item_id"], v["sample"], v["request_key"]), {}))
            for v in sorted(rows, key=lambda v: v["sample"])
        ])
        for position, rows in verdicts.items()
    ]  # fmt: skip


def _responses(
    store: Store, task: str, checkpoint: str, verdicts: Sequence[dict[str, Any]]
) -> dict[tuple[str, int, str], dict[str, Any]]:
    fingerprint = find_checkpoint(store, checkpoint).fingerprint or ""
    table = open_table(OutputsTable(store.table("outputs", task, fingerprint)).uri)
    keys = {v["request_key"] for v in verdicts if v["request_key"]}
    if table is None or not keys:
        return {}
    found: dict[tuple[str, int, str], dict[str, Any]] = {}
    for row in table.to_table(filter=one_of("request_key", keys)).to_pylist():
        found.setdefault((row["item_id"], row["sample"], row["request_key"]), row)
    return found


def _questions(store: Store, task: TaskDef, ids: Sequence[str], positions: Sequence[int]) -> dict[str, Question]:
    """By position, which costs nothing; by id where the data set has changed since."""
    table, columns = items_of(store, task).table(), list(COLUMNS)
    inside = [p for p in positions if p < table.count_rows()]
    rows = {row["item_id"]: row for row in table.take(inside, columns=columns).to_pylist()} if inside else {}
    if moved := set(ids) - set(rows):
        found = table.to_table(columns=columns, filter=one_of("item_id", moved)).to_pylist()
        rows |= {row["item_id"]: row for row in found}
    return {item_id: question(task, rows[item_id]) for item_id in ids if item_id in rows}
