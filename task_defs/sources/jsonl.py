"""JSON Lines, line by line; and a JSON file that is one list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from task_defs.errors import Problem, TaskError
from task_defs.sources.base import Docs, Unreadable

_BOM = b"\xef\xbb\xbf"


def read_jsonl(file: Path) -> Docs:
    """Objects of a JSON Lines file; a line that cannot be read is Unreadable, blank lines are skipped."""
    if file.suffix == ".json" and _is_list(file):
        yield from _read_list(file)
        return
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            data = (line.removeprefix(_BOM) if number == 1 else line).rstrip()
            if data:
                yield _parse(data, f"{file.name}:{number}")


def _parse(data: bytes, place: str) -> dict[str, Any] | Unreadable:
    try:
        doc = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Unreadable(f"{place}: not UTF-8: {error.reason} at byte {error.start}")
    except json.JSONDecodeError as error:
        return Unreadable(f"{place}: not JSON: {error.msg} at character {error.pos}")
    except (RecursionError, ValueError) as error:  # nested too deeply; a number with too many digits
        return Unreadable(f"{place}: not JSON that can be read: {error}")
    if not isinstance(doc, dict):
        return Unreadable(f"{place}: expected an object, found a {type(doc).__name__}")
    return doc


def _is_list(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(4096).removeprefix(_BOM).lstrip().startswith(b"[")


def _read_list(file: Path) -> Docs:
    """A list cannot be read line by line: it is held in memory as a whole."""
    try:
        docs = json.loads(file.read_bytes().removeprefix(_BOM))
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 0)
        raise TaskError(Problem(f"not a JSON list: {error}", file=str(file), line=line)) from error
    for number, doc in enumerate(docs):
        if isinstance(doc, dict):
            yield doc
        else:
            yield Unreadable(f"{file.name}[{number}]: expected an object, found a {type(doc).__name__}")
