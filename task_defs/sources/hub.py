"""Hugging Face `datasets`: a hub id or a folder that only it understands (imagefolder ...)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from task_defs.errors import TaskError
from task_defs.model import TaskDef
from task_defs.sources.base import Docs
from task_defs.sources.locate import how_to_get


def read_hub(task: TaskDef, path: str, local: bool) -> Docs:
    """Rows in streaming mode, media columns undecoded: {"bytes", "path"} as they are stored."""
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise TaskError(
            f"task {task.task}: {path} is read with the datasets package: "
            f"pip install 'eval-assets[huggingface]', or {_by_hand(task, path)}"
        ) from error
    files = {split: list(names) for split, names in task.data_files.items()} or None
    try:
        stream: Any = datasets.load_dataset(
            path,
            name=task.dataset_name,
            revision=None if local else task.dataset_revision,
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
            hint = f"without a connection to the hub, {_by_hand(task, path)}"
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


def _by_hand(task: TaskDef, path: str) -> str:
    folder = task.data_folder or task.task
    if how := how_to_get(task):
        return f"put the files into a folder '{folder}' of one that EVAL_DATA names{how}"
    return (
        f"put the files into a folder '{folder}' of one that EVAL_DATA names, for example:\n"
        f"  hf download {path} --repo-type dataset --local-dir $EVAL_DATA/{folder}"
    )
