"""Parquet by row groups and Lance by batches; bytes of media pass through as they are."""

from __future__ import annotations

from pathlib import Path

from task_defs.errors import Problem, TaskError
from task_defs.sources.base import Docs, Unreadable, row_by_row

_BATCH = 32  # rows held at a time: they may carry pictures


def read_parquet(file: Path) -> Docs:
    """Rows of a Parquet file. A row group that cannot be read costs its own rows only."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise TaskError(Problem(f"not Parquet: {error}", file=str(file))) from error
    with parquet:
        for group in range(parquet.num_row_groups):
            left = parquet.metadata.row_group(group).num_rows
            try:
                for batch in parquet.iter_batches(batch_size=_BATCH, row_groups=[group]):
                    yield from row_by_row(batch, f"{file.name}: row group {group}")
                    left -= batch.num_rows
            except (pa.ArrowException, OSError) as error:
                reason = Unreadable(f"{file.name}: row group {group}: {error}")
                yield from (reason for _ in range(left))


def read_lance(folder: Path) -> Docs:
    """Rows of a Lance data set; blob columns come as bytes."""
    try:
        import lance
    except ModuleNotFoundError as error:
        raise TaskError("Lance data needs the lance package: pip install pylance") from error
    try:
        dataset = lance.dataset(str(folder))
    except (ValueError, OSError) as error:
        raise TaskError(Problem(f"not a Lance data set: {error}", file=str(folder))) from error
    for batch in dataset.to_batches(batch_size=_BATCH, blob_handling="all_binary"):
        yield from row_by_row(batch, folder.name)
