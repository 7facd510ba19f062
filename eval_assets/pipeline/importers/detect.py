"""Which kind of log a file is: by its content first, by its name where content leaves it open."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from eval_assets.pipeline.importers import harness, inspect_log, plain, vlmevalkit
from eval_assets.pipeline.importers.base import PART_BYTES, ImportRefused, Log, Options
from eval_assets.pipeline.importers.rows import Row, rows_of

Reader = Callable[[Path, str, Iterator[Row], Options], Log]

# Logs of rows: what reads them, and whether a row (the first one) is theirs. The first that says yes.
_OF_ROWS: dict[str, tuple[Reader, Callable[[dict[str, Any]], bool]]] = {
    "lm-eval": (harness.read_lm_eval, harness.is_lm_eval),
    "lmms-eval": (harness.read_lmms_eval, harness.is_lmms_eval),
    "vlmevalkit": (vlmevalkit.read, vlmevalkit.is_table),
    "plain": (plain.read, lambda row: True),
}
FORMATS = (*_OF_ROWS, "inspect")
_PICKLE = re.compile(rb"\x80[\x02-\x05]|\(dp0|\(lp0")
_INSPECT = re.compile(r'\A\s*\{.*?"eval"\s*:\s*\{', re.DOTALL)
_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
_TABLES = {".csv": "csv", ".tsv": "tsv"}
_LOGS = re.compile(r"(.+_samples_.+|samples_.+)\.jsonl|.+\.eval")


def open_log(path: Path, options: Options, format: str | None = None) -> Log:
    """The file as a log, not read further than what tells its kind.

    format: one of FORMATS; None: found out. A field for the response makes any rows plain ones.
    Raises ImportRefused where it is no log that can be read, or not one of that format.
    """
    if not path.is_file():
        raise ImportRefused(f"no file {path}")
    kind = container_of(path)
    if kind in ("inspect", "inspect-json"):
        if format not in (None, "inspect"):
            raise ImportRefused(f"{path} is a log of inspect_ai and not of {format}")
        return inspect_log.read(path, kind, options)
    if format == "inspect":
        raise ImportRefused(f"{path} is no log of inspect_ai: neither a zip of samples nor its JSON")
    rows = rows_of(path, kind, options.part_bytes)
    first = next(rows, None)
    if first is None:
        return plain.read(path, kind, iter(()), options)
    if format is None:
        named = options.fields.response is not None
        format = "plain" if named else next(name for name, (_, is_one) in _OF_ROWS.items() if is_one(first[1]))
    reader, is_one = _OF_ROWS[format]
    if not is_one(first[1]):
        has = ", ".join(map(str, islice(first[1], 12)))
        raise ImportRefused(f"{path} is no log of {format}: {first[0]} has the fields {has}")
    return reader(path, kind, chain([first], rows), options)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a table that is no log (people's verdicts, a judge's answers): JSONL, JSON, CSV, TSV, XLSX, Parquet.

    Raises ImportRefused, naming the place.
    """
    if not path.is_file():
        raise ImportRefused(f"no file {path}")
    for _, row in rows_of(path, container_of(path), PART_BYTES):
        yield row


def container_of(path: Path) -> str:
    """jsonl, json, csv, tsv, xlsx, parquet, inspect or inspect-json. Raises ImportRefused for anything else."""
    with path.open("rb") as file:
        head = file.read(65536)
    if _PICKLE.match(head) or path.suffix.lower() in (".pkl", ".pickle", ".pt", ".pth"):
        raise ImportRefused(
            f"{path} is a pickle, which could run anything: never read. Write the table with the program that made "
            "it (VLMEvalKit: PRED_FORMAT=tsv, or the .xlsx beside it) and import that"
        )
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _zipped(path)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise ImportRefused(f"{path} is an old Excel workbook (or an encrypted one): save it as .xlsx or .tsv")
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            raise ImportRefused(f"{path} is packed by {name}: unpack it first")
    if b"\0" in head:
        raise ImportRefused(f"{path} is neither text nor a format that is known: {', '.join(FORMATS)}")
    return _written(path, head)


def _zipped(path: Path) -> str:
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except (BadZipFile, ValueError, OSError) as error:
        raise ImportRefused(f"{path} is a damaged or unfinished zip ({error})") from error
    if "xl/workbook.xml" in names:
        return "xlsx"
    if inspect_log.HEADER in names or inspect_log.START in names:
        return "inspect"
    raise ImportRefused(f"{path} is a zip, but neither a log of inspect_ai nor a workbook: unpack it first")


def _written(path: Path, head: bytes) -> str:
    text = head.decode("utf-8-sig", "replace").lstrip()
    if not text.startswith(("{", "[")):
        if not text and path.suffix.lower() not in _TABLES:
            return "jsonl"  # nothing in it, which is said where its rows are looked for
        if path.suffix.lower() in (".jsonl", ".json"):
            return "jsonl"  # whose first line says what is wrong with it
        header = text.partition("\n")[0]
        return _TABLES.get(path.suffix.lower(), "tsv" if "\t" in header else "csv")
    line = text.partition("\n")[0]
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        # Cut off, the first line of many, or of one document. Lines that start anew are many.
        whole = path.suffix.lower() != ".jsonl" and (len(line) < 3 or "\n" in text or len(head) == 65536)
        return _document(text) if whole else "jsonl"
    several = "\n" in text and text.partition("\n")[2].strip() != ""
    return "jsonl" if isinstance(value, dict) and (several or path.suffix.lower() == ".jsonl") else _document(text)


def _document(text: str) -> str:
    return "inspect-json" if _INSPECT.match(text) and '"version"' in text else "json"


def looks_like_log(path: Path) -> bool:
    """Whether a file of a folder is taken for a log by its name: samples of the two harnesses, inspect_ai's logs."""
    return _LOGS.fullmatch(path.name) is not None
