"""Pictures, videos and sounds: each once, by content hash, its bytes exactly as they came."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa

from resources.store.tables import append, open_table

if TYPE_CHECKING:
    import lance

# A batch of new media is written when it holds this many bytes: memory stays flat.
FLUSH_BYTES = 64 * 2**20


def media_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _schema() -> pa.Schema:
    import lance

    return pa.schema(
        [
            pa.field("sha", pa.string(), nullable=False),
            pa.field("mime", pa.string(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            lance.blob_field("data"),
        ]
    )


@dataclass
class MediaTable:
    """`media/<dataset>.lance`: columns sha, mime, size and the blob column data."""

    uri: str

    @cached_property
    def _table(self) -> lance.LanceDataset | None:
        return open_table(self.uri)

    @cached_property
    def _row_of(self) -> dict[str, int]:
        """Row index by hash; of a medium that two writers both added, the first."""
        if self._table is None:
            return {}
        shas = self._table.to_table(columns=["sha"])["sha"].to_pylist()
        return dict(zip(reversed(shas), range(len(shas) - 1, -1, -1), strict=True))

    def __contains__(self, sha: str) -> bool:
        return sha in self._row_of

    def read(self, shas: Sequence[str]) -> dict[str, bytes]:
        """The bytes of each hash, in one planned read. KeyError names one that is not there."""
        wanted = list(dict.fromkeys(shas))
        if not wanted:
            return {}
        rows = [self._row(sha) for sha in wanted]
        assert self._table is not None
        blobs = self._table.read_blobs("data", indices=rows, preserve_order=True)
        return {sha: data or b"" for sha, (_, data) in zip(wanted, blobs, strict=True)}

    def open(self, sha: str) -> BinaryIO:
        """A file-like handle that seeks and reads ranges in place: for long videos."""
        row = self._row(sha)
        assert self._table is not None
        return self._table.take_blobs("data", indices=[row])[0]  # type: ignore[return-value]

    def _row(self, sha: str) -> int:
        try:
            return self._row_of[sha]
        except KeyError:
            raise KeyError(f"no medium {sha} in {self.uri}: materialize benchmark_dataset again") from None

    def sizes(self) -> dict[str, int]:
        """Bytes by hash."""
        if self._table is None:
            return {}
        columns = self._table.to_table(columns=["sha", "size"])
        return dict(zip(columns["sha"].to_pylist(), columns["size"].to_pylist(), strict=True))


class MediaWriter:
    """Adds media that are not there yet, in batches. Call `close` (or use `with`) to flush."""

    def __init__(self, table: MediaTable) -> None:
        self._uri = table.uri
        self._known = set(table._row_of)
        self._rows: list[tuple[str, str, bytes]] = []
        self._bytes = 0
        self.added = 0
        self.added_bytes = 0

    def add(self, data: bytes, mime: str) -> str:
        """The medium's hash; its bytes are stored unless they are already."""
        sha = media_hash(data)
        if sha not in self._known:
            self._known.add(sha)
            self._rows.append((sha, mime, data))
            self._bytes += len(data)
            self.added += 1
            self.added_bytes += len(data)
            if self._bytes >= FLUSH_BYTES:
                self.flush()
        return sha

    def flush(self) -> None:
        if self._rows:
            append(self._uri, [_batch(self._rows)], _schema())
            self._rows, self._bytes = [], 0

    def __enter__(self) -> MediaWriter:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None:
            self.flush()


def _batch(rows: Iterable[tuple[str, str, bytes]]) -> pa.RecordBatch:
    import lance

    shas, mimes, datas = zip(*rows, strict=True)
    columns: list[Any] = [
        pa.array(shas, pa.string()),
        pa.array(mimes, pa.string()),
        pa.array([len(d) for d in datas], pa.int64()),
        lance.blob_array(list(datas)),
    ]
    return pa.record_batch(columns, schema=_schema())
