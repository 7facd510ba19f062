"""Finding and loading tasks: every fault of a task is told here, with file, line and field."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from task_defs.errors import Problem, TaskError, nearest
from task_defs.functions import DOTTED, find_function, read_source
from task_defs.lmms_eval import is_lmms_eval
from task_defs.lmms_eval import load as load_lmms_eval
from task_defs.model import TaskDef
from task_defs.validation import judge_problems, reading_problems, validation_problems
from task_defs.yaml_source import FunctionTag, RawTask, read_task_yaml

CATALOG = Path(__file__).parent / "catalog"
_FUNCTIONS_ONLY = ("docs", "process_docs")
_MAYBE_FUNCTIONS = (
    "doc_to_text",
    "doc_to_messages",
    "doc_to_target",
    "doc_to_choice",
    "doc_to_visual",
    "doc_to_id",
    "cluster_key",
)
# Settings of a judge that may name a file with a template.
_PROMPTS = ("prompt", "system")
_TASK_LINE = re.compile(rb"^task[ \t]*:.*$", re.MULTILINE)
# A name with an underscore is a string in YAML whatever it says: no parser is needed, which takes 2 ms.
_PLAIN_NAME = re.compile(rb"task: ([a-z]\w*_\w*)[ \t\r]*")


def _roots(search_path: Sequence[str | Path] | None) -> list[Path]:
    """The catalog and the user's folders of tasks."""
    if search_path is None:
        search_path = [folder for folder in os.environ.get("EVAL_TASK_PATH", "").split(os.pathsep) if folder]
    roots = [Path(folder).expanduser() for folder in search_path]
    for root in roots:
        if not root.is_dir():
            raise TaskError(f"EVAL_TASK_PATH: no such folder: {root}")
    return [CATALOG, *roots]


def _task_files(root: Path) -> Iterator[tuple[str, Path]]:
    """(name, YAML) of every task under a root; a YAML without `task:` is there to be included."""
    for path in sorted([*root.rglob("*.yaml"), *root.rglob("*.yml")]):
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        stat = path.stat()
        if name := _name_in(path, stat.st_mtime_ns, stat.st_size):
            yield name, path


@cache
def _name_in(path: Path, mtime_ns: int, size: int) -> str | None:
    """The name that a file gives its task, None for one without; read again when the file has changed."""
    line = _TASK_LINE.search(path.read_bytes())
    return _name(line.group()) or path.stem if line else None


def _name(line: bytes) -> str | None:
    """The task's name; None where it is broken: then its file's name finds it, and its loading says why."""
    if plain := _PLAIN_NAME.fullmatch(line):
        return plain[1].decode()
    try:
        name = yaml.safe_load(line)["task"]
    except yaml.YAMLError:
        return None
    return name if isinstance(name, str) else None


def _index(search_path: Sequence[str | Path] | None) -> dict[str, tuple[Path, Path]]:
    """name -> (YAML, root); raises TaskError for a name found twice."""
    found: dict[str, tuple[Path, Path]] = {}
    twice: list[Problem] = []
    for root in _roots(search_path):
        for name, path in _task_files(root):
            first = found.get(name)
            if first is None:
                found[name] = (path, root)
            elif first[0].resolve() != path.resolve():
                twice.append(Problem(f"task '{name}' is also in {first[0]}: rename one of them", file=str(path)))
    if twice:
        raise TaskError(twice)
    return found


def list_tasks(search_path: Sequence[str | Path] | None = None) -> list[str]:
    """Names of all tasks of the catalog and of the folders in EVAL_TASK_PATH, sorted.

    search_path: the folders instead of EVAL_TASK_PATH. Reads one line of each file.
    """
    return sorted(_index(search_path))


def load_task(name_or_path: str | Path, search_path: Sequence[str | Path] | None = None) -> TaskDef:
    """A task by its name, by the path of its YAML, or `lmms_eval:<name>` of the installed lmms-eval.

    Raises TaskError, which lists every fault that was found with its file, line and field.
    """
    text = str(name_or_path)
    if is_lmms_eval(text):
        return load_lmms_eval(text)
    if isinstance(name_or_path, Path) or text.endswith((".yaml", ".yml")) or os.sep in text:
        path = Path(name_or_path).expanduser()
        root = CATALOG if path.resolve().is_relative_to(CATALOG.resolve()) else path.parent
        return _load(path, root)
    index = _index(search_path)
    if text not in index:
        raise TaskError(f"unknown task '{text}': {nearest(text, index, 'known tasks')}", text)
    return _load(*index[text])


def _load(path: Path, root: Path) -> TaskDef:
    raw = read_task_yaml(path, root)
    name = str(raw.fields.get("task", path.stem))
    fields, problems = _with_functions(raw)
    broken = {problem.field.partition(".")[0] for problem in problems}
    if "doc_to_messages" in broken:
        broken.add("doc_to_text")  # which is not missing: the messages are to be mended
    task: TaskDef | None = None
    try:
        task = TaskDef.model_validate(fields)
    except ValidationError as error:
        problems += [p for p in validation_problems(error, raw) if p.field.partition(".")[0] not in broken]
    if "judge" not in {problem.field for problem in problems}:
        problems += judge_problems(fields.get("judge"), raw)
    if task is not None:
        task._path, task._marks = path, raw.marks
        from task_defs.template_checks import template_problems

        problems += template_problems(task) + reading_problems(task)
    if problems or task is None:
        raise TaskError(sorted(problems, key=lambda p: (p.file, p.line)), name)
    return task


def _with_functions(raw: RawTask) -> tuple[dict[str, Any], list[Problem]]:
    """The fields with every function looked up beside the YAML that names it."""
    fields, problems = dict(raw.fields), []
    for field, value in raw.fields.items():
        maybe = field in _FUNCTIONS_ONLY or (
            field in _MAYBE_FUNCTIONS and isinstance(value, str) and DOTTED.fullmatch(value)
        )
        folders = _function_folders(raw, field)
        try:
            fields[field] = (
                find_function(value, folders) if maybe and isinstance(value, str) else _looked_up(value, folders)
            )
        except TaskError as error:
            mark, inner = raw.marks[(field,)], error.problems[0]
            where = f"{inner.file}:{inner.line}: " if inner.file else ""
            problems.append(Problem(where + inner.message, field, mark.file, mark.line))
            del fields[field]
    if isinstance(judge := fields.get("judge"), dict):
        fields["judge"] = _with_prompts(judge, _function_folders(raw, "judge"))
    return fields, problems


def _with_prompts(judge: dict[str, Any], folders: list[Path]) -> dict[str, Any]:
    """A judge's settings with the text of each prompt file (`prompt: rate.j2`) that stands beside the YAML.

    One that does not is the judge's own, or the judge says that there is none.
    """
    found = dict(judge)
    for key in _PROMPTS:
        name = judge.get(key)
        if isinstance(name, str) and name.endswith(".j2") and "\n" not in name:
            files = (folder / name for folder in folders)
            inside = (f for f in files if f.is_file() and f.resolve().is_relative_to(f.parent.resolve()))
            if file := next(inside, None):
                found[key] = read_source(file)
    return found


def _looked_up(value: Any, folders: list[Path]) -> Any:
    """A value with each `!function` in it found: a judge's setting may be one."""
    if isinstance(value, FunctionTag):
        return find_function(value.name, folders)
    if isinstance(value, dict):
        return {key: _looked_up(inner, folders) for key, inner in value.items()}
    return [_looked_up(inner, folders) for inner in value] if isinstance(value, list) else value


def _function_folders(raw: RawTask, field: str) -> list[Path]:
    """The folder of the YAML that names the function, and one with its name beside it."""
    origin = raw.origin(field)
    folders = [origin.parent, origin.parent / origin.stem]
    if origin == raw.files[0] and isinstance(name := raw.fields.get("task"), str) and name != origin.stem:
        folders.append(origin.parent / name)
    return folders
