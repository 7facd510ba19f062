"""Rows of benchmarks from files, folders, the hub, or a function."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from task_defs.errors import Problem, TaskError
from task_defs.functions import load_function
from task_defs.model import FunctionRef, TaskDef
from task_defs.plain import plain
from task_defs.sources.base import Docs, Row, Source, Unreadable
from task_defs.sources.columnar import read_lance, read_parquet
from task_defs.sources.hub import read_hub
from task_defs.sources.jsonl import read_jsonl
from task_defs.sources.locate import Found, data_folders, data_roots_from_env, locate
from task_defs.sources.revision import downloaded, on_hub

_READERS: dict[str, Callable[[Path], Docs]] = {
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "lance": read_lance,
}


def open_source(task: TaskDef, data_roots: Sequence[str | Path] | None = None) -> Source:
    """The task's rows, found but not yet read.

    data_roots: folders instead of those in EVAL_DATA.
    Raises TaskError where the data are not found, here or (for the hub) when rows are read.
    """
    roots = data_roots_from_env() if data_roots is None else [Path(root) for root in data_roots]
    if task.docs is not None:
        folder = next((p for p in data_folders(task, roots) if p.is_dir()), task.folder)
        docs = task.docs
        read = lambda: _rows(task, folder, _from_function(task, docs, folder))  # noqa: E731
        return Source(folder, docs.name, read, lambda: downloaded(folder))
    found = locate(task, roots)
    origin = ", ".join(file.name for file in found.files) or found.path
    root = found.root
    # Once: the rows that are read must be those of the commit that is told.
    commit = cache(lambda: on_hub(found.path, task.dataset_revision) if root is None else downloaded(root))
    return Source(root, origin, lambda: _rows(task, root, _docs(task, found, commit)), commit)


def _docs(task: TaskDef, found: Found, commit: Callable[[], str | None]) -> Docs:
    if found.kind == "huggingface":
        yield from read_hub(task, found, commit() if found.root is None else None)
    for file in found.files:
        yield from _READERS[found.kind](file)


def _from_function(task: TaskDef, ref: FunctionRef, root: Path) -> Docs:
    yield from load_function(ref)(root, task)


def _rows(task: TaskDef, root: Path | None, docs: Docs) -> Iterator[Row]:
    """Rows with numbers; unreadable ones go round `process_docs` and keep their place if it is lazy."""
    unreadable: deque[Unreadable] = deque()
    stream: Iterator[Any] = docs
    if task.process_docs is not None:
        stream = load_function(task.process_docs)(_readable(docs, unreadable), root or task.folder, task)
    position = 0
    for doc in _told(task, stream):
        while unreadable:
            yield Row(position, error=unreadable.popleft())
            position += 1
        yield _row(position, doc)
        position += 1
    for reason in unreadable:
        yield Row(position, error=reason)
        position += 1


def _readable(docs: Docs, unreadable: deque[Unreadable]) -> Iterator[dict[str, Any]]:
    for doc in docs:
        if isinstance(doc, Unreadable):
            unreadable.append(doc)
        else:
            yield doc


def _row(position: int, doc: Any) -> Row:
    if isinstance(doc, Unreadable):
        return Row(position, error=str(doc))
    try:
        if not isinstance(doc, dict):
            raise TypeError(f"expected a mapping of fields, found a {type(doc).__name__}")
        return Row(position, plain(doc, keep_bytes=True))
    except TypeError as error:
        return Row(position, error=f"row {position}: {error}")


def _told(task: TaskDef, stream: Iterator[Any]) -> Iterator[Any]:
    """What a task's own function raises, with the place of that function."""
    try:
        yield from stream
    except TaskError:
        raise
    except Exception as error:
        field = "process_docs" if task.process_docs else "docs"
        mark = task.mark(field)
        raise TaskError(
            Problem(
                f"task {task.task}: {type(error).__name__}: {error}",
                field,
                mark.file if mark else "",
                mark.line if mark else 0,
            ),
            task.task,
        ) from error


__all__ = ["Row", "Source", "open_source"]
