"""Rows of any table, and a field of a row, for files that are no logs: people's verdicts, a judge's answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval_assets.pipeline.importers.base import PART_BYTES, ImportRefused
from eval_assets.pipeline.importers.detect import container_of
from eval_assets.pipeline.importers.rows import rows_of


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL, JSON, CSV, TSV, XLSX or Parquet file. Raises ImportRefused, naming the place."""
    if not path.is_file():
        raise ImportRefused(f"no file {path}")
    for _, row in rows_of(path, container_of(path), PART_BYTES):
        yield row


def dig(row: dict[str, Any], name: str, path: Path, number: int) -> Any:
    """A field of row `number` (from 0) of a file; dots lead into nested ones. Raises ImportRefused."""
    value: Any = row
    for part in [name] if name in row else name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ImportRefused(f"{path}, row {number + 1}: no field {name!r}; it has {', '.join(map(str, row))}")
        value = value[part]
    return value
