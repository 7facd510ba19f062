"""Steps of episodes and streams: what was seen, what was done, what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from resources.store.lookup import Lookup
from resources.store.tables import append, compact, open_table, scan

SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("sample", pa.int32()),
        ("episode", pa.string()),  # request key of the outcome: which episode of the item this is a step of
        ("step", pa.int32()),  # from 1; the answer is the row of `outputs` with the same four columns
        ("request_key", pa.string()),
        ("messages", pa.string()),  # JSON: [[role, parts], ...]; a medium by its place in `media`
        ("media", pa.list_(pa.string())),  # hashes; their bytes are in `media/<task>.steps`
        ("seen", pa.string()),  # JSON: what the player knew of this moment
        ("action", pa.string()),  # null: the answer was none
        ("reward", pa.float64()),
        ("info", pa.string()),  # JSON
        ("at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True)
class StepsTable:
    """`steps/<task>/<fingerprint>.lance`."""

    uri: str

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            append(self.uri, pa.Table.from_pylist([dict(r) for r in rows], schema=SCHEMA), SCHEMA, grow=True)

    def compact(self) -> None:
        compact(self.uri)

    def identities(self, *more: str) -> Iterator[tuple[Any, ...]]:
        """(item_id, sample, step, request_key, and whatever `more` names) of every row."""
        table = open_table(self.uri)
        if table is None:
            return
        for batch in scan(table, ["item_id", "sample", "step", "request_key", *more]):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def of(self, item_id: str, sample: int, episode: str | None = None) -> list[dict[str, Any]]:
        """The steps of one episode, in order; episode None: whichever were played of the item."""
        rows = self.lookup("item_id", "sample").find([(item_id, sample)])
        wanted = (row for row in rows if episode is None or row["episode"] == episode)
        return sorted(wanted, key=lambda row: row["step"])

    def lookup(self, *columns: str) -> Lookup:
        return Lookup(open_table(self.uri), columns)
