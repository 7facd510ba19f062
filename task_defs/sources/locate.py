"""Where a task's data lies: EVAL_DATA first, then dataset_path as a local path, then the hub."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from task_defs.errors import Problem, TaskError
from task_defs.model import TaskDef

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".lance": "lance",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: files that are read here, or a path for the `datasets` package.

    root: the data folder, None for the hub. kind: jsonl, parquet, lance or huggingface.
    tried: the places of EVAL_DATA where nothing was, in words.
    """

    kind: str
    root: Path | None
    files: tuple[Path, ...] = ()
    path: str = ""
    tried: tuple[str, ...] = ()


def data_roots_from_env() -> list[Path]:
    """The folders of EVAL_DATA."""
    return [Path(p).expanduser() for p in os.environ.get("EVAL_DATA", "").split(os.pathsep) if p]


def data_folders(task: TaskDef, data_roots: Sequence[Path]) -> list[Path]:
    """Local folders (or the one file) that may hold the task's data, in the order of the search."""
    places = [root / (task.data_folder or task.task) for root in data_roots]
    if task.dataset_path:
        places.append(task.folder / Path(task.dataset_path).expanduser())
    return places


def locate(task: TaskDef, data_roots: Sequence[Path]) -> Found:
    """The task's data; raises TaskError that lists the places where it was looked for."""
    tried: list[str] = []
    for place in data_folders(task, data_roots):
        if not place.exists():
            tried.append(f"{place}: not there")
        elif found := _in_place(task, place, tried):
            return found
    if task.source in ("auto", "huggingface") and _HUB_ID.fullmatch(task.dataset_path):
        return Found(
            "huggingface",
            None,
            path=task.dataset_path,
            tried=tuple(t for t in tried if t.startswith(tuple(map(str, data_roots)))),
        )
    folder = task.data_folder or task.task
    names = ", ".join(task.data_files.get(task.test_split, ())) or f"the split '{task.test_split}'"
    mark = task.mark("data_files") or task.mark("dataset_path")
    raise TaskError(
        Problem(
            f"task {task.task}: no data found. Looked at {'; '.join(tried) or 'no place'}. "
            f"Put {names} into a folder '{folder}' of one that EVAL_DATA names{how_to_get(task)}",
            "dataset_path",
            mark.file if mark else "",
            mark.line if mark else 0,
        ),
        task.task,
    )


def how_to_get(task: TaskDef) -> str:
    """What the task's author wrote in `metadata.get_data`, as further lines of a message; "" without it."""
    text = str(task.metadata.get("get_data") or "").strip()
    return f". To get the data:\n{textwrap.indent(text, '  ')}" if text else ""


def _in_place(task: TaskDef, place: Path, tried: list[str]) -> Found | None:
    if place.is_file() or place.suffix == ".lance":
        return Found(_kind(task, place), place.parent, (place,))
    if task.source == "huggingface":
        return Found("huggingface", place, path=str(place))
    names = task.data_files.get(task.test_split) or ()
    files = [file for name in names for file in _named(place, name, tried)] or (
        [] if names else _by_split(place, task.test_split, task.dataset_name)
    )
    if files and all(file.exists() for file in files):
        return Found(_kind(task, files[0]), place, tuple(files))
    if not names and task.source == "auto" and any(place.iterdir()):
        return Found("huggingface", place, path=str(place))
    if not names:
        tried.append(f"{place}: no file of the split '{task.test_split}'")
    return None


def _named(folder: Path, name: str, tried: list[str]) -> list[Path]:
    """The files of one entry of `data_files`, which may be a pattern such as data/test-*.parquet."""
    found = sorted(folder.glob(name)) if any(c in name for c in "*?[") else [folder / name]
    found = [file for file in found if file.exists()] or [folder / name]
    for file in found:
        if not file.exists():
            tried.append(f"{file}: not there")
        elif not file.resolve().is_relative_to(folder.resolve()):
            raise TaskError(f"{file} leads outside {folder}: put the file itself there, or its folder in EVAL_DATA")
    return found


def _by_split(folder: Path, split: str, configuration: str | None = None) -> list[Path]:
    """Files named after the split: test.jsonl, test-00000-of-00002.parquet, data/test-*.parquet ...

    configuration: of a hub data set, which has a folder of its name where there are several.
    """
    own = [folder / configuration, folder / "data" / configuration] if configuration else []
    for below in (*own, folder, folder / "data"):
        for suffix in _SUFFIXES:
            files = sorted({*below.glob(f"{split}{suffix}"), *below.glob(f"{split}-*{suffix}")})
            if files:
                return files
    return []


def _kind(task: TaskDef, file: Path) -> str:
    if task.source not in ("auto", "function"):
        return task.source
    kind = _SUFFIXES.get(file.suffix)
    if kind is None:
        raise TaskError(
            f"task {task.task}: {file} is none of {', '.join(_SUFFIXES)}: set `source`, or read it with `docs`"
        )
    return kind
