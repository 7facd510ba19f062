"""Opening, appending to and upserting Lance tables, with the storage settings in one place."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from resources.store.home import StoreUnwritable, unwritable

if TYPE_CHECKING:
    import lance


def _give_memory_back() -> None:
    """Make freed buffers leave the process: they pass through in batches, and their space should too.

    Arrow's own allocator keeps what it once had. glibc's does the same with blocks of up to 32 MB
    unless its threshold is set by hand. A cell of 100 000 items peaks 60 MB lower.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # only glibc has it
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 128 * 1024)


_M_MMAP_THRESHOLD = -3  # malloc.h
_give_memory_back()

# Blob v2 needs 2.2; one version for all tables. Stable row ids let `_rowid` outlive compaction.
STORAGE = {"data_storage_version": "2.2", "enable_stable_row_ids": True}
_READ_AHEAD = 16 * 2**20  # bytes
# Rows in one file: its buffers are what a writer holds, 8 MiB a column if a file is long enough.
_FILE_ROWS = 8192
_COMMITS = 20  # attempts to put a version after the ones that others wrote meanwhile


def open_table(uri: str) -> lance.LanceDataset | None:
    """The table's latest version, or None where there is none yet."""
    import lance

    try:
        return lance.dataset(uri)
    except (FileNotFoundError, ValueError) as error:
        if "not found" in str(error).lower() or isinstance(error, FileNotFoundError):
            return None
        raise


def append(
    uri: str, data: pa.Table | Iterable[pa.RecordBatch], schema: pa.Schema, *, grow: bool = False
) -> lance.LanceDataset:
    """Append, creating the table if need be; two creators at once both succeed.

    grow: give a table that an older version wrote the columns that it lacks, null in its rows.
    """
    import lance

    with _storing(uri):
        _create(uri, schema)
        if grow:
            _grow(uri, schema)
        return lance.write_dataset(data, uri, schema=schema, mode="append")


def replace(uri: str, data: Iterable[pa.RecordBatch] | pa.Table, schema: pa.Schema) -> lance.LanceDataset:
    """Put these rows in the place of all that was there, in one commit; of several writers the last remains."""
    import lance
    from lance.fragment import write_fragments

    with _storing(uri):
        _create(uri, schema)
        # The rows are written once and only the commit is repeated: `data` may be read but once.
        fragments = write_fragments(data, uri, schema, mode="overwrite", max_rows_per_file=_FILE_ROWS, **STORAGE)
        operation = lance.LanceOperation.Overwrite(schema, fragments)
        for _ in range(_COMMITS):
            try:
                return lance.LanceDataset.commit(uri, operation, read_version=lance.dataset(uri).version)
            except OSError as error:
                if "commit conflict" not in str(error).lower():
                    raise
                conflict = error
        raise conflict


@contextlib.contextmanager
def _storing(uri: str) -> Iterator[None]:
    """A full disk or a missing permission as StoreUnwritable, with what to do."""
    try:
        yield
    except OSError as error:
        if problem := unwritable(uri, error):
            raise problem from error
        if "exceeds blob object size" in str(error):  # Lance's word for a medium of which a part was written
            raise StoreUnwritable(f"EVAL_HOME: {uri} was cut short while it was written: free some space") from error
        raise


def _create(uri: str, schema: pa.Schema) -> None:
    import lance

    if open_table(uri) is None:
        # Not write_dataset(mode="create"): of two at once, the second overwrote what the first had by then.
        operation = lance.LanceOperation.Overwrite(schema, [])
        try:
            lance.LanceDataset.commit(
                uri, operation, max_retries=0, enable_stable_row_ids=STORAGE["enable_stable_row_ids"]
            )
        except OSError:  # its words for a table that somebody else has just made differ from case to case
            if open_table(uri) is None:
                raise


def _grow(uri: str, schema: pa.Schema) -> None:
    import lance

    for _ in range(_COMMITS):
        table = lance.dataset(uri)
        missing = [field for field in schema if field.name not in table.schema.names]
        if not missing:
            return
        try:
            table.add_columns(pa.schema(missing))
        except OSError as error:  # another writer added them meanwhile
            if not any(word in str(error).lower() for word in ("conflict", "already exists")):
                raise
            conflict = error
    raise conflict


def scan(
    table: lance.LanceDataset, columns: Sequence[str] | Mapping[str, str], rows: int = 1024
) -> Iterator[pa.RecordBatch]:
    """Batches of `rows` in the table's order, in flat memory: by default Lance reads 2 GB ahead.

    columns: names, or names with the expressions that they stand for.
    """
    scanner = table.scanner(
        columns=dict(columns) if isinstance(columns, Mapping) else list(columns),
        batch_size=rows,
        scan_in_order=True,
        batch_readahead=2,
        io_buffer_size=_READ_AHEAD,
    )
    yield from scanner.to_batches()


def compact(uri: str) -> None:
    """Merge the fragments that many small appends left behind.

    Old versions go after a day: a reader that opened one before keeps its files until then.
    """
    from datetime import timedelta

    table = open_table(uri)
    if table is not None and len(table.get_fragments()) > 1:
        table.optimize.compact_files(target_rows_per_fragment=_FILE_ROWS, batch_size=1024, num_threads=1)
        table.cleanup_old_versions(older_than=timedelta(days=1))


def storable(text: str) -> str:
    """The text with halves of surrogate pairs replaced: an answer cut inside of an emoji may end in one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def quoted(value: str) -> str:
    """A string literal of Lance's and DuckDB's SQL."""
    return "'" + value.replace("'", "''") + "'"


def one_of(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(quoted(v) for v in values)})"


class KeyedTable:
    """A small table of records with a key, upserted by several processes.

    uri:    of the Lance table.
    schema: of the records; the columns named in `key` together are unique. They are declared as
            primary key: without that, two processes that insert one new key at the same time
            both succeed, and the key is there twice.
    """

    def __init__(self, uri: str, schema: pa.Schema, key: Sequence[str]) -> None:
        self.uri, self.key = uri, tuple(key)
        primary = {"lance-schema:unenforced-primary-key": "true"}
        self.schema = pa.schema(
            pa.field(f.name, f.type, nullable=False, metadata=primary) if f.name in key else f for f in schema
        )

    def upsert(
        self, records: Sequence[Mapping[str, Any]], *, replacing: str | None = None, only_if: str | None = None
    ) -> None:
        """Insert or update by key.

        replacing: a filter; rows that it matches and that `records` does not name go in the same
            commit (`checkpoint = 'a'`: the records are all there is of `a`).
        only_if: a condition on a row that is there (`target.`) and its new values (`source.`), without which
            it stays as it is: what another process made of it meanwhile is not undone.
        """
        if not records:
            return
        data = pa.Table.from_pylist([dict(r) for r in records], schema=self.schema)
        table = open_table(self.uri)
        if table is None:
            table = append(self.uri, self.schema.empty_table(), self.schema)
        merge = table.merge_insert(list(self.key)).when_matched_update_all(only_if).when_not_matched_insert_all()
        if replacing:
            merge = merge.when_not_matched_by_source_delete(replacing)
        with _storing(self.uri):
            merge.conflict_retries(20).execute(data)

    def rows(self, where: str | None = None, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Records that a filter matches, in no order; of their columns all, or those that are named."""
        table = open_table(self.uri)
        return [] if table is None else table.to_table(columns and list(columns), filter=where).to_pylist()

    def get(self, **key: str) -> dict[str, Any] | None:
        found = self.rows(" AND ".join(f"{k} = {quoted(v)}" for k, v in key.items()))
        return found[0] if found else None

    def delete(self, where: str) -> None:
        table = open_table(self.uri)
        if table is not None:
            with _storing(self.uri):
                table.delete(where)
