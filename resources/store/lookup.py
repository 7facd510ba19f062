"""Rows by key from a table in any order: an `IN` filter would read the whole table for each chunk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from resources.store.tables import scan

if TYPE_CHECKING:
    import lance
    import numpy as np


class Lookup:
    """Finds rows by the values of some columns. Reads those columns once and keeps 16 bytes a row.

    table:   the version that is looked into; rows appended later are not found. None: there is none yet.
    columns: the key, in the order in which keys are given.
    """

    def __init__(self, table: lance.LanceDataset | None, columns: Sequence[str]) -> None:
        self._table, self._columns = table, tuple(columns)

    @cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray]:
        """Sorted hashes of the keys and the position of each row; rows of one key in the table's order."""
        import numpy as np

        if self._table is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        hashes = np.empty(self._table.count_rows(), np.int64)
        at = 0
        for batch in scan(self._table, self._columns):
            keys = zip(*(batch[name].to_pylist() for name in self._columns), strict=True)
            hashes[at : at + len(batch)] = [hash(key) for key in keys]
            at += len(batch)
        order = np.argsort(hashes, kind="stable")
        return hashes[order], order

    def find(self, keys: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
        """All rows with one of these keys; those of one key in the table's order."""
        import numpy as np

        hashes, positions = self._index
        wanted = set(keys)
        sought = np.unique(np.fromiter((hash(key) for key in wanted), np.int64, len(wanted)))
        spans = zip(hashes.searchsorted(sought, "left"), hashes.searchsorted(sought, "right"), strict=True)
        found = np.concatenate([np.empty(0, np.int64), *(positions[first:last] for first, last in spans)])
        rows = self._table.take(found.tolist()).to_pylist() if self._table and len(found) else []
        # Two keys may share a hash.
        return [row for row in rows if tuple(row[name] for name in self._columns) in wanted]
