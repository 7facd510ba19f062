"""Rows of JSON, JSONL, CSV, TSV, XLSX and Parquet files, one by one, in flat memory."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from eval_assets.pipeline.importers.archive import check_archive
from eval_assets.pipeline.importers.base import ImportRefused
from eval_assets.pipeline.importers.json_stream import stream_json

Row = tuple[str, dict[str, Any]]  # where it stands ("line 7"), and its fields
_SHEET_TEXTS = "xl/sharedStrings.xml"  # held in memory as a whole; sheets are streamed


def rows_of(path: Path, kind: str, limit: int) -> Iterator[Row]:
    """The rows of a file of this kind. limit: bytes that one of them may have. Raises ImportRefused with its place."""
    readers = {"jsonl": _json_lines, "json": _json, "xlsx": _xlsx, "parquet": _parquet}
    if kind in readers:
        return readers[kind](path, limit)
    return _delimited(path, "\t" if kind == "tsv" else ",", limit)


def _json_lines(path: Path, limit: int) -> Iterator[Row]:
    with path.open("rb") as lines:
        number = 0
        while line := lines.readline(limit + 1):
            number += 1
            if len(line) > limit:
                raise ImportRefused(f"{path}:{number}: a line of more than {size(limit)}: see --max-part")
            if line.strip():
                yield f"line {number}", _row(line, f"{path}:{number}", first=number == 1)


def _row(line: bytes, place: str, *, first: bool) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig" if first else "utf-8"))
    except UnicodeDecodeError as error:
        raise ImportRefused(f"{place}: not UTF-8 ({error.reason})") from error
    except RecursionError as error:
        raise ImportRefused(f"{place}: nested too deeply") from error
    except ValueError as error:
        raise ImportRefused(f"{place}: not JSON ({error})") from error
    if not isinstance(row, dict):
        raise ImportRefused(f"{place}: expected an object, found a {type(row).__name__}")
    return row


def _json(path: Path, limit: int) -> Iterator[Row]:
    """An array of objects; or an object of id -> answer, as rows with the fields `id` and `response`."""
    for number, (key, value) in enumerate(stream_json(path, None, limit), 1):
        if key is not None:
            yield f"entry {key!r}", {"id": key, **(value if isinstance(value, dict) else {"response": value})}
        elif isinstance(value, dict):
            yield f"entry {number}", value
        else:
            raise ImportRefused(f"{path}, entry {number}: expected an object, found a {type(value).__name__}")


def _parquet(path: Path, limit: int) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        number = 0
        for batch in pq.ParquetFile(path).iter_batches(512):
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row
    except pa.ArrowException as error:
        raise ImportRefused(f"{path}: damaged Parquet ({error})") from error


def _delimited(path: Path, delimiter: str, limit: int) -> Iterator[Row]:
    csv.field_size_limit(min(limit, sys.maxsize))
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter=delimiter)
        try:
            header = next(lines, [])
            check_header(header, path)
            for cells in lines:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise ImportRefused(
                        f"{path}:{lines.line_num}: {len(cells)} cells, and the header has {len(header)}: "
                        "is a quote missing, or the delimiter another one?"
                    )
                yield f"line {lines.line_num}", dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise ImportRefused(f"{path}:{lines.line_num}: {error}") from error
        except UnicodeDecodeError as error:
            raise ImportRefused(f"{path}: not UTF-8 ({error.reason})") from error


def _xlsx(path: Path, limit: int) -> Iterator[Row]:
    """The first sheet; a formula is its text, never its value, and a whole number has no `.0`."""
    from zipfile import BadZipFile

    try:
        with path.open("rb") as file:
            yield from _sheet(file, path, limit)
    except (BadZipFile, KeyError, ValueError, SyntaxError, OSError) as error:  # an XML error is a SyntaxError
        if isinstance(error, ImportRefused):
            raise
        raise ImportRefused(f"{path}: damaged XLSX ({type(error).__name__}: {error})"[:300]) from error


def _sheet(file: IO[bytes], path: Path, limit: int) -> Iterator[Row]:
    import openpyxl

    check_archive(file, path, {_SHEET_TEXTS: limit}, xml=True)
    book = openpyxl.load_workbook(file, read_only=True, data_only=False, keep_links=False)
    try:
        lines = book.worksheets[0].iter_rows(values_only=True)
        header = [str(cell) if cell is not None else "" for cell in next(lines, ())]
        while header and not header[-1]:
            header.pop()
        check_header(header, path)
        for number, cells in enumerate(lines, 2):
            if any(cell is not None for cell in cells):
                values = ("" if cell is None else _cell(cell) for cell in cells)
                yield f"row {number}", {name: next(values, "") for name in header}
    finally:
        book.close()


def _cell(value: Any) -> Any:
    return value if isinstance(value, (str, bool, int, float)) else str(getattr(value, "text", value))


def dig(row: dict[str, Any], name: str, path: Path, number: int) -> Any:
    """A field of row `number` (from 0) of a file; dots lead into nested ones. Raises ImportRefused."""
    value: Any = row
    for part in [name] if name in row else name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ImportRefused(f"{path}, row {number + 1}: no field {name!r}; it has {', '.join(map(str, row))}")
        value = value[part]
    return value


def check_header(header: list[str], path: Path) -> None:
    if not header or not any(header):
        raise ImportRefused(f"{path}: no header: the first line must name the columns")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ImportRefused(f"{path}: two columns are called {twice[0]!r}: rename one")


def size(limit: int) -> str:
    return f"{limit / 2**20:g} MiB"
