"""The rows of an lmms-eval task: read by our loader, turned into questions by its functions."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from task_defs.errors import TaskError
from task_defs.lmms_eval.client import FunctionFailed, WorkerLost, hub_home, worker_for
from task_defs.lmms_eval.definition import CHOICES, MEDIA, MESSAGES, TARGET, home_of
from task_defs.lmms_eval.install import family_of, yaml_of
from task_defs.model import TaskDef
from task_defs.sources.base import Unreadable
from task_defs.sources.locate import data_roots_from_env

_CHUNK = 256  # rows turned into Arrow at a time
_SECONDS = 3600.0  # from one row to the next: the first waits for process_docs over all of them


def docs(root: Path, task: TaskDef) -> Iterator[dict[str, Any] | Unreadable]:
    """Each row as lmms-eval's functions make it; an Unreadable, with the traceback, for one that they fail on."""
    told = task.metadata["lmms_eval"]
    found, path = yaml_of(name := task.judge["task"])
    with tempfile.TemporaryDirectory(prefix="lmms-rows-") as folder:
        asked = {"path": str(path), "name": name, "documents": _spool(task, told["split"], Path(folder) / "documents")}
        shown = told["examples_split"]
        asked["examples"] = _spool(task, shown, Path(folder) / "examples") if shown else None
        try:
            parts = worker_for(found, family_of(found, path), home_of(told)).stream("rows", _SECONDS, **asked)
            yield from (_row(part["part"]) for part in parts if "part" in part)
        except FunctionFailed as error:
            raise TaskError(f"task {task.task}: {error}\n{error.traceback}", task.task) from error
        except WorkerLost as error:
            raise TaskError(f"task {task.task}: {error}", task.task) from error


def _row(part: dict[str, Any]) -> dict[str, Any] | Unreadable:
    if "error" in part:
        failed = FunctionFailed(part["error"])
        return Unreadable(f"{failed}\n{failed.traceback}")
    media = [_medium(one) for one in part["media"]]
    return {**part["doc"], MESSAGES: part["messages"], MEDIA: media, TARGET: part["target"], CHOICES: part["choices"]}


def _medium(one: dict[str, Any]) -> dict[str, Any]:
    """{bytes, path}: a path below a data folder is read, another one is a missing medium that names it."""
    if one.get("bytes") is not None:
        return {"bytes": base64.b64decode(one["bytes"]), "path": one["path"]}
    path = Path(one["path"]).resolve()
    if any(path.is_relative_to(base) for base in _bases()) and path.is_file():
        return {"bytes": path.read_bytes(), "path": path.name}
    return {"bytes": None, "path": str(path)}


def _bases() -> list[Path]:
    """Folders that a task's media may lie in."""
    return [folder.resolve() for folder in (*data_roots_from_env(), hub_home())]


def _spool(task: TaskDef, split: str, folder: Path) -> str:
    """A split of the data set as an Arrow stream file, in flat memory. Raises TaskError.

    Its types are those of all rows together: an empty chunk of a column says nothing of the next one.
    """
    import pyarrow as pa

    folder.mkdir()
    try:
        chunks: list[Path] = []
        for rows in _chunks(task, split):
            table = pa.Table.from_pylist(rows)
            chunks.append(folder / f"{len(chunks)}.arrow")
            with pa.ipc.new_file(chunks[-1], table.schema) as sink:
                sink.write_table(table)
        if not chunks:
            raise TaskError(f"task {task.task}: the split '{split}' has no rows", task.task)
        schemas = [pa.ipc.open_file(chunk).schema for chunk in chunks]
        schema = _told(pa.unify_schemas(schemas, promote_options="permissive"))
        file = folder / "all.arrow"
        with pa.ipc.new_stream(file, schema) as sink:
            for chunk in chunks:
                rows = pa.ipc.open_file(chunk).read_all().to_pylist()
                sink.write_table(pa.Table.from_pylist(rows, schema=schema))
                chunk.unlink()
    except pa.ArrowException as error:
        raise TaskError(f"task {task.task}: the rows of '{split}' do not agree in type: {error}", task.task) from error
    return str(file)


def _chunks(task: TaskDef, split: str) -> Iterator[list[dict[str, Any]]]:
    from task_defs.sources import open_source

    raw = task.model_copy(update={"docs": None, "test_split": split})
    docs = (_readable(task, row) for row in open_source(raw).rows())
    while rows := list(islice(docs, _CHUNK)):
        yield rows


def _readable(task: TaskDef, row: Any) -> dict[str, Any]:
    if row.doc is None:  # its functions count rows: one that is left out would shift the others
        raise TaskError(f"task {task.task}: {row.error}", task.task)
    return dict(row.doc)


def _told(schema: Any) -> Any:
    """The schema with text where nothing but null was seen."""
    import pyarrow as pa

    return pa.schema([(field.name, _type(field.type)) for field in schema])


def _type(kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _type(field.type)) for field in kind])
    return pa.list_(_type(kind.value_type)) if pa.types.is_list(kind) else kind
