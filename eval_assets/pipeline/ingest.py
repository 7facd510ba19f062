"""From a benchmark's rows to Lance: items in order, each medium once, bytes as they came."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Any

import pyarrow as pa

from eval_assets.pipeline.clusters import SharedMedia
from eval_assets.pipeline.files import spool
from eval_assets.versions import StreamDigest, item_hash
from resources.store import Store, slug
from resources.store.items import ColumnTypes, ItemsTable, to_batch
from resources.store.media import MediaTable, MediaWriter
from resources.store.records import datasets
from resources.store.tables import scan
from task_defs import MediaBytes, TaskDef, TaskFunctions, compile_task, open_source, plain_doc, read_media
from task_defs.digests import data_digest
from task_defs.media import is_media
from task_defs.sources.revision import COMMIT

_ROWS = 512  # rows turned into Arrow at a time


class DuplicateIds(ValueError):
    """Two rows claim the same id: nothing can be paired by it."""


@dataclass
class Ingested:
    """What an ingestion found and did."""

    task: str
    version: str = ""
    origin: str = ""
    items: int = 0
    missing_media: int = 0
    media: int = 0
    media_bytes: int = 0
    new_media_bytes: int = 0
    change: str = "unchanged"  # unchanged, appended, replaced
    quarantined: list[dict[str, Any]] = field(default_factory=list)


def items_of(store: Store, task: TaskDef) -> ItemsTable:
    return ItemsTable(store.table("datasets", task.task))


def media_of(store: Store, task: TaskDef) -> MediaTable:
    """Tasks that read the same data folder share their media."""
    return MediaTable(store.table("media", task.data_folder or task.task))


def ingest(task: TaskDef, store: Store) -> Ingested:
    """Bring the store's items up to the task's source.

    Reads the source once, in flat memory: media go to their table as they come, the items' fields
    to a spool file and from there to Lance in one commit. The same rows give the same version and
    write nothing; rows added at the end are appended. A row that cannot be read is quarantined.

    Raises DuplicateIds, and TaskError where the source is not found.
    """
    store.ensure_writable()
    done = Ingested(task.task)
    source = open_source(task)
    done.origin = source.origin
    # Of two at once, both would find the old items and append the new ones.
    with store.lock(f"ingest-{task.task}"), spool("w+", "utf-8") as lines:
        types, clusters, hashes = _spool(task, store, source, lines, done)
        done.version = hashes.hexdigest()
        _publish(task, store, lines, types, clusters, done)
        done.media, done.media_bytes = media_of(store, task).totals()
        done.origin += _of_revision(task, source.revision())
        _record(task, store, done)
    return done


def _of_revision(task: TaskDef, commit: str | None) -> str:
    """What provenance says of the commit that was read, where it is known."""
    if commit is None:
        return ""
    pinned = task.dataset_revision
    other = f" (the task names {pinned})" if pinned and COMMIT.fullmatch(pinned) and commit != pinned else ""
    return f"@{commit}{other}"


def _spool(
    task: TaskDef, store: Store, source: Any, lines: IO[str], done: Ingested
) -> tuple[ColumnTypes, SharedMedia, StreamDigest]:
    functions, types, clusters, hashes = compile_task(task), ColumnTypes(), SharedMedia(), StreamDigest()
    positions: dict[str, int] = {}
    with MediaWriter(media_of(store, task)) as media:
        for row in source.rows():
            try:
                if row.doc is None:
                    raise ValueError(row.error)
                entry = _entry(functions, row.doc, row.position, media, source.root)
                line = json.dumps({**entry, "position": done.items}, ensure_ascii=False)
                line.encode()  # half a surrogate pair is JSON, but no text that could be stored or sent
            except (ValueError, LookupError) as error:
                done.quarantined.append({"position": row.position, "reason": str(error)[:500]})
                continue
            first = positions.setdefault(entry["item_id"], row.position)
            if first != row.position:
                raise DuplicateIds(
                    f"task {task.task}: rows {first} and {row.position} of {done.origin} both have the id "
                    f"{entry['item_id']!r}: name a field that is unique in doc_to_id"
                )
            types.see(entry["doc"])
            clusters.add(_shas(entry))
            hashes.add(entry["item_id"])
            hashes.add(entry["item_hash"])
            done.items += 1
            done.missing_media += any(m["missing"] for m in entry["media"])
            lines.write(line + "\n")
    done.new_media_bytes = media.added_bytes
    return types, clusters, hashes


def _entry(
    functions: TaskFunctions, row: dict[str, Any], position: int, media: MediaWriter, root: Any
) -> dict[str, Any]:
    item_id = functions.item_id(row, position)
    found: list[dict[str, str | None]] = []
    for value in functions.visuals(row, item_id):
        medium = read_media(value, root)
        if isinstance(medium, MediaBytes):
            found.append({"sha": media.add(medium.data, medium.mime), "mime": medium.mime, "missing": None})
        else:
            found.append({"sha": None, "mime": "", "missing": medium.reason})
    # A path stays a field that people can read; bytes live in the media table only.
    held = {name for name in functions.visual_fields(row) if isinstance(row.get(name), Mapping | bytes)}
    doc = plain_doc({name: value for name, value in row.items() if name not in held and not is_media(value)})
    return {
        "item_id": item_id,
        "doc": doc,
        "media": found,
        "item_hash": item_hash(doc, [m["sha"] or f"missing: {m['missing']}" for m in found]),
        "target": functions.target(doc, item_id),
        "cluster": functions.cluster(doc, item_id),
    }


def _publish(
    task: TaskDef, store: Store, lines: IO[str], types: ColumnTypes, clusters: SharedMedia, done: Ingested
) -> None:
    table, schema = items_of(store, task), types.schema()
    before = datasets(store).get(task=task.task)
    same_definition = before is not None and before["definition"] == data_digest(task)
    there = table.count() if same_definition else 0
    if same_definition and before and before["version"] == done.version and there == done.items:
        return
    grown = 0 < there < done.items and table.schema() == schema and _begins_alike(table, lines, clusters)
    rows = islice(_from_start(lines), there if grown else 0, None)
    batches = _batches((json.loads(line) for line in rows), clusters, schema)
    (table.append if grown else table.replace)(batches, schema)
    done.change = "appended" if grown else "replaced"
    _publish_parquet(task, store, table)


def _begins_alike(table: ItemsTable, spooled: IO[str], clusters: SharedMedia) -> bool:
    """Whether the stored items are the first ones of the spool, in the same media clusters."""
    lines = _from_start(spooled)
    for batch in table.batches(["item_id", "item_hash", "media_cluster"]):
        for row in batch:
            entry = json.loads(next(lines))
            cluster = clusters.cluster(_shas(entry))
            if row != {"item_id": entry["item_id"], "item_hash": entry["item_hash"], "media_cluster": cluster}:
                return False
    return True


def _shas(entry: dict[str, Any]) -> list[str]:
    return [m["sha"] for m in entry["media"] if m["sha"]]


def _from_start(lines: IO[str]) -> Iterator[str]:
    lines.seek(0)
    return iter(lines)


def _batches(entries: Iterator[dict[str, Any]], clusters: SharedMedia, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    while chunk := list(islice(entries, _ROWS)):
        docs = [entry["doc"] for entry in chunk]
        for entry in chunk:
            entry["media_cluster"] = clusters.cluster(_shas(entry))
            entry["cluster"] = entry["cluster"] or entry["media_cluster"]
            entry["target"] = None if entry["target"] is None else json.dumps(entry["target"], ensure_ascii=False)
            entry["doc"] = json.dumps(entry["doc"], ensure_ascii=False)
        yield to_batch(chunk, docs, schema)


def _publish_parquet(task: TaskDef, store: Store, table: ItemsTable) -> None:
    """The metadata for everything that reads Parquet with column projection."""
    import pyarrow.parquet as pq

    with spool() as file:
        dataset = table.table()
        with pq.ParquetWriter(file, dataset.schema) as writer:
            for batch in scan(dataset, dataset.schema.names, _ROWS):
                writer.write_batch(batch)
        file.seek(0)
        store.write_file(file, "datasets", f"{slug(task.task)}.parquet")


def _record(task: TaskDef, store: Store, done: Ingested) -> None:
    datasets(store).upsert(
        [
            {
                "task": task.task,
                "version": done.version,
                "definition": data_digest(task),
                "source": done.origin,
                "n_items": done.items,
                "n_missing_media": done.missing_media,
                "n_media": done.media,
                "media_bytes": done.media_bytes,
                "quarantined": json.dumps(done.quarantined),
                "at": datetime.now(UTC),
            }
        ]
    )
