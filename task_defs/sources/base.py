"""A row of a benchmark, and something that yields rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One row, or the reason why it could not be read; never both.

    position: its number, from 0, in the order of the rows that come out.
    doc:      JSON-able, except that media which the data holds in itself are still bytes.
    error:    place and reason (`test.jsonl:17: not JSON: ...`).
    """

    position: int
    doc: dict[str, Any] | None = None
    error: str | None = None


class Unreadable(str):
    """In a stream of docs: the reason why there is none here."""

    __slots__ = ()


Docs = Iterator[dict[str, Any] | Unreadable]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a task's rows come from.

    root:   the folder that paths of media start from; None where there is no folder.
    origin: the files, or the hub id.
    """

    root: Path | None
    origin: str
    _read: Callable[[], Iterator[Row]]
    _revision: Callable[[], str | None] = lambda: None

    def rows(self) -> Iterator[Row]:
        """All rows in order, read as they are asked for; each call begins anew."""
        return self._read()

    def revision(self) -> str | None:
        """The commit of the data set on the hub that these rows are of; None where it is not known."""
        return self._revision()


def row_by_row(table: Any, place: str) -> Docs:
    """The rows of an Arrow batch. Where a value cannot be decoded, only its row is lost."""
    try:
        docs: Iterable[Any] = table.to_pylist()
    except (UnicodeDecodeError, ValueError, OverflowError):
        docs = (_one(table.slice(i, 1), place) for i in range(table.num_rows))
    yield from docs


def _one(table: Any, place: str) -> dict[str, Any] | Unreadable:
    try:
        found: dict[str, Any] = table.to_pylist()[0]
        return found
    except UnicodeDecodeError as error:
        return Unreadable(f"{place}: not UTF-8: {error.reason} at byte {error.start}")
    except (ValueError, OverflowError) as error:
        return Unreadable(f"{place}: {error}")
