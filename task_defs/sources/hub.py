"""Hugging Face `datasets`: a hub id or a folder that only it understands (imagefolder ...)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from task_defs.errors import TaskError
from task_defs.model import TaskDef
from task_defs.sources.base import Docs
from task_defs.sources.locate import Found, how_to_get


def read_hub(task: TaskDef, found: Found, commit: str | None = None) -> Docs:
    """Rows in streaming mode, media columns undecoded: {"bytes", "path"} as they are stored.

    commit: the one that the task's revision stands for, where it is known.
    Raises TaskError, which says how to get the data onto this machine.
    """
    path, local = found.path, found.root is not None
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise TaskError(
            f"task {task.task}: {path} is read with the datasets package: "
            f"pip install 'eval-assets[huggingface]'" + ("" if local else f"\nOr else: {_by_hand(task, found)}")
        ) from error
    files = {split: list(names) for split, names in task.data_files.items()} or None
    try:
        stream: Any = datasets.load_dataset(
            path,
            name=task.dataset_name,
            revision=None if local else commit or task.dataset_revision,
            split=task.test_split,
            data_files=files,
            streaming=True,
        )
        for doc in stream.decode(False):
            yield {k: _below(v, Path(path)) for k, v in doc.items()} if local else doc
    except Exception as error:
        if local:
            hint = f"check that {path} has a split '{task.test_split}' in a layout that datasets knows"
        else:
            hint = _by_hand(task, found)
        if type(error).__name__ == "DatasetNotFoundError":  # also where one is not allowed to see it
            hint += (
                "\n  (where its owners ask for an agreement: accept it on its page of the hub, then `hf auth login`)"
            )
        raise TaskError(
            f"task {task.task}: {path} cannot be read: {type(error).__name__}: {error}\n{hint}", task.task
        ) from error


def _below(value: Any, root: Path) -> Any:
    """A medium's absolute path as one below the data folder: rows are the same wherever it lies."""
    if isinstance(value, list):
        return [_below(inner, root) for inner in value]
    if not isinstance(value, dict) or set(value) != {"bytes", "path"} or not value["path"]:
        return value
    file, base = Path(value["path"]), root.resolve()
    for start in (root, base):
        if file.is_relative_to(start):
            return {**value, "path": file.relative_to(start).as_posix()}
    return value


def _by_hand(task: TaskDef, found: Found) -> str:
    """How the data get here without the hub being asked from here."""
    folder = task.data_folder or task.task
    places = "; ".join(found.tried) or "EVAL_DATA names no folder"
    where = f"Nor are they on this machine ({places}). "
    revision = f" --revision {task.dataset_revision}" if task.dataset_revision else ""
    if how := how_to_get(task):
        pinned = f"\n  (the task's revision of the data: hf download{revision})" if revision else ""
        return f"{where}Put the files into a folder '{folder}' of one that EVAL_DATA names{how}{pinned}"
    return (
        f"{where}Download them where there is a connection, and put them into a folder '{folder}' of one that "
        f"EVAL_DATA names:\n"
        f"  export EVAL_DATA=/path/to/benchmarks\n"
        f"  hf download {found.path} --repo-type dataset{revision} --local-dir $EVAL_DATA/{folder}"
    )
