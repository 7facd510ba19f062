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
    import numpy as np

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
    def _index(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sorted short hashes, the row of each, and the size of each: 24 bytes a medium, not 200."""
        import numpy as np

        if self._table is None:
            empty = np.empty(0, np.int64)
            return empty.astype(np.uint64), empty, empty
        columns = self._table.to_table(columns=["sha", "size"])
        short = np.fromiter((_short(s) for s in columns["sha"].to_pylist()), np.uint64, len(columns))
        order = np.argsort(short, kind="stable")
        return short[order], order, columns["size"].to_numpy()[order]

    def _find(self, sha: str) -> int | None:
        """Position in the index; of a medium that two writers both added, the first."""
        shorts, _, _ = self._index
        at = int(shorts.searchsorted(_short(sha)))
        return at if at < len(shorts) and int(shorts[at]) == _short(sha) else None

    def __contains__(self, sha: str) -> bool:
        return self._find(sha) is not None

    def _at(self, sha: str) -> int:
        at = self._find(sha)
        if at is None:
            raise KeyError(f"no medium {sha} in {self.uri}: materialize benchmark_dataset again")
        return at

    def size(self, sha: str) -> int:
        """Bytes of one medium; KeyError where it is not there."""
        return int(self._index[2][self._at(sha)])

    def mime(self, sha: str) -> str:
        """KeyError where it is not there."""
        row = int(self._index[1][self._at(sha)])
        assert self._table is not None
        return str(self._table.take([row], columns=["mime"])["mime"][0].as_py())

    def kinds(self) -> set[str]:
        """What there is: `image`, `video`, `audio`."""
        if self._table is None:
            return set()
        mimes = self._table.to_table(columns=["mime"])["mime"].unique().to_pylist()
        return {mime.partition("/")[0] for mime in mimes}

    def totals(self) -> tuple[int, int]:
        """Number of distinct media and their bytes."""
        import numpy as np

        shorts, _, sizes = self._index
        first = np.unique(shorts, return_index=True)[1]
        return len(first), int(sizes[first].sum())

    def read(self, shas: Sequence[str]) -> dict[str, bytes]:
        """The bytes of each hash, in one planned read. KeyError names one that is not there."""
        wanted = list(dict.fromkeys(shas))
        if not wanted:
            return {}
        rows = [int(self._index[1][self._at(sha)]) for sha in wanted]
        assert self._table is not None
        blobs = self._table.read_blobs("data", indices=rows, preserve_order=True)
        return {sha: data or b"" for sha, (_, data) in zip(wanted, blobs, strict=True)}

    def open(self, sha: str) -> BinaryIO:
        """A file-like handle that seeks and reads ranges in place: for long videos."""
        row = int(self._index[1][self._at(sha)])
        assert self._table is not None
        return self._table.take_blobs("data", indices=[row])[0]  # type: ignore[return-value]


def _short(sha: str) -> int:
    return int(sha[:16], 16)


class MediaWriter:
    """Adds media that are not there yet, in batches. Call `close` (or use `with`) to flush."""

    def __init__(self, table: MediaTable) -> None:
        self._table = table
        self._uri = table.uri
        self._new: set[str] = set()
        self._rows: list[tuple[str, str, bytes]] = []
        self._bytes = 0
        self.added = 0
        self.added_bytes = 0

    def add(self, data: bytes, mime: str) -> str:
        """The medium's hash; its bytes are stored unless they are already."""
        sha = media_hash(data)
        if sha not in self._new and sha not in self._table:
            self._new.add(sha)
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
