"""Verdicts of one cell, written in one commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from resources.store.tables import open_table, replace

if TYPE_CHECKING:
    import lance

_FIXED = [
    ("item_id", pa.string()),
    ("sample", pa.int32()),
    ("position", pa.int64()),
    ("request_key", pa.string()),
    ("item_hash", pa.string()),  # of question, label and choices: what two cells are paired by
    ("cluster", pa.string()),
    ("score", pa.float64()),  # null: unscored
    ("answer", pa.string()),
    ("flags", pa.list_(pa.string())),
    ("unscored", pa.string()),  # the reason
    ("results", pa.string()),  # JSON: what a metric over all items is computed from
    ("prompt_tokens", pa.int32()),
    ("completion_tokens", pa.int32()),
    ("seconds", pa.float64()),
]


def schema(components: Sequence[str], categories: Sequence[str], groups: Sequence[str] = ()) -> pa.Schema:
    """Fixed columns, then `value_<component>` of the judge, `by_<field>` of categories, `group_<field>` of units."""
    values = [(f"value_{name}", pa.float64()) for name in components]
    labels = [*(f"by_{name}" for name in categories), *(f"group_{name}" for name in groups)]
    return pa.schema([*_FIXED, *values, *((name, pa.string()) for name in labels)])


@dataclass(frozen=True)
class ScoresTable:
    """`scores/<task>/<checkpoint>.lance`; a variant's has the variant's id in its name."""

    uri: str

    def replace(self, batches: Iterator[pa.RecordBatch], of: pa.Schema) -> None:
        replace(self.uri, pa.RecordBatchReader.from_batches(of, batches), of)

    def count(self) -> int:
        table = self.dataset()
        return 0 if table is None else table.count_rows()

    def dataset(self) -> lance.LanceDataset | None:
        return open_table(self.uri)
