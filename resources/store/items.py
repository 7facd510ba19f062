"""The questions of a task as a Lance table that people can query, and as items in batches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from resources.store.tables import append as append_table
from resources.store.tables import open_table, replace, scan

if TYPE_CHECKING:
    import lance

MEDIA = pa.list_(pa.struct([("sha", pa.string()), ("mime", pa.string()), ("missing", pa.string())]))
# Ours; a field of the benchmark with one of these names is found in `doc` only.
RESERVED = pa.schema(
    [
        ("item_id", pa.string()),
        ("position", pa.int64()),
        ("item_hash", pa.string()),
        ("target", pa.string()),  # JSON
        ("cluster", pa.string()),
        ("media", MEDIA),
        ("media_cluster", pa.string()),  # connected component over shared media; null without media
        ("doc", pa.string()),  # JSON: every field that is not a medium
    ]
)
# The narrowest type that holds all of a field's values; "long" is an integer that no float holds exactly.
_SCALARS: tuple[tuple[set[str], pa.DataType], ...] = (
    ({"bool"}, pa.bool_()),
    ({"int", "long"}, pa.int64()),
    ({"int", "float"}, pa.float64()),
    ({"bool", "int", "long", "float", "str"}, pa.string()),
)


class ColumnTypes:
    """Arrow types of a benchmark's scalar fields, widened row by row.

    int widens to float; anything else that does not agree becomes text. Lists and objects stay in
    `doc`, as JSON, and so do fields with names that Lance does not take.
    """

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}

    def see(self, doc: Mapping[str, Any]) -> None:
        for name, value in doc.items():
            if value is not None:
                self._seen.setdefault(name, set()).add(_kind(value))

    def schema(self) -> pa.Schema:
        fields = []
        for name, kinds in self._seen.items():
            if name in RESERVED.names or "." in name or name.startswith("_row"):
                continue
            found = next((arrow for held, arrow in _SCALARS if kinds <= held), None)
            if found is not None:
                fields.append(pa.field(name, found))
        return pa.schema([*RESERVED, *fields])


def _kind(value: Any) -> str:
    name = type(value).__name__
    if name != "int" or abs(value) <= 2**53:
        return name
    return "long" if -(2**63) <= value < 2**63 else "str"


def to_batch(rows: Sequence[Mapping[str, Any]], docs: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows (the reserved columns) and their docs (the scalar ones) as one batch."""
    columns = []
    for field in schema:
        if field.name in RESERVED.names:
            values = [row[field.name] for row in rows]
        else:
            values = [_fit(doc.get(field.name), field.type) for doc in docs]
        columns.append(pa.array(values, field.type))
    return pa.record_batch(columns, schema=schema)


def _fit(value: Any, kind: pa.DataType) -> Any:
    if value is None or not pa.types.is_string(kind) or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class ItemsTable:
    """`datasets/<task>.lance`, and the same without media as `datasets/<task>.parquet`.

    pinned: the version to read; None: the latest at each call.
    """

    uri: str
    pinned: lance.LanceDataset | None = None

    def pin(self) -> ItemsTable:
        """The table as it is now, whatever is ingested later: row numbers keep their meaning."""
        return ItemsTable(self.uri, self.table())

    def replace(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        replace(self.uri, pa.RecordBatchReader.from_batches(schema, batches), schema)

    def append(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        append_table(self.uri, pa.RecordBatchReader.from_batches(schema, batches), schema)

    def schema(self) -> pa.Schema | None:
        table = open_table(self.uri)
        return None if table is None else table.schema

    def count(self) -> int:
        table = open_table(self.uri)
        return 0 if table is None else table.count_rows()

    def hashes(self) -> list[str]:
        """Item hashes in order of position."""
        table = open_table(self.uri)
        return [] if table is None else table.to_table(columns=["item_hash"])["item_hash"].to_pylist()

    def table(self) -> lance.LanceDataset:
        table = self.pinned or open_table(self.uri)
        if table is None:
            raise FileNotFoundError(f"no items at {self.uri}: materialize benchmark_dataset for this task first")
        return table

    def batches(self, columns: Sequence[str], rows: int = 1024) -> Iterator[list[dict[str, Any]]]:
        """Rows in order of position, as dicts."""
        for batch in scan(self.table(), columns, rows):
            yield batch.to_pylist()

    def media_order(self) -> list[int]:
        """Row indices so that questions on one medium follow each other, else of similar length.

        Prefix and processor caches hit on neighbours; batches of similar length pad less.
        """
        import numpy as np
        import pyarrow.compute as pc

        found = scan(self.table(), {"media": "media", "length": "length(doc)"})
        columns = pa.Table.from_batches(found, pa.schema([("media", MEDIA), ("length", pa.int32())]))
        media = columns["media"].combine_chunks()
        counts = pc.fill_null(pc.list_value_length(media), 0).to_numpy()
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        shas = pc.struct_field(media.flatten(), "sha")
        # Items without a medium share group -1; the others get their first medium's, numbered as they occur.
        group = np.full(len(media), -1, np.int64)
        if len(shas):
            codes = pc.fill_null(shas.dictionary_encode().indices, -1).to_numpy()
            group[counts > 0] = codes[starts[counts > 0]]
        order: list[int] = np.lexsort((columns["length"].to_numpy(), group)).tolist()
        return order

    def take(self, indices: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        return self.table().take(list(indices), columns=list(columns)).to_pylist()
