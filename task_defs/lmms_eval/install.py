"""Where lmms-eval is installed, and which tasks it has: looked up without importing it."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from task_defs.errors import TaskError, nearest

PREFIX = "lmms_eval:"
# Beside the working folder, as `make lmms` builds it.
_OWN_ENVIRONMENT = Path(".venv-lmms/bin/python")
_HOW = (
    "run `make lmms`, which installs it into an environment of its own (.venv-lmms), or name the Python that has it: "
    "EVAL_LMMS_PYTHON=/path/to/python"
)
_FIND = (
    "import importlib.util as u, importlib.metadata as m\n"
    "s = u.find_spec('lmms_eval')\n"
    "print(s.submodule_search_locations[0] if s else '')\n"
    "print(m.version('lmms_eval') if s else '')"
)
# Lines of a task's name and of its tags, whose keys may be quoted: 1,900 files are read in a moment.
_TASK_LINE = re.compile(rb"^[\"']?task[\"']?[ \t]*:[ \t]*(?=[^\s#\[-]).*$", re.MULTILINE)
_TAG_LINES = re.compile(rb"^[\"']?(?:tag|group)[\"']?[ \t]*:(?:[ \t]*\S.*|(?:[ \t]*\n[ \t]*- .*)+)$", re.MULTILINE)
_INCLUDE = re.compile(rb"^include:[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)
_SHARED = ("_task_utils", "benchmark_aliases")


@dataclass(frozen=True)
class Installed:
    """An installed lmms-eval. python: the interpreter that has it; folder: of the package; own: the user's tasks."""

    python: Path
    folder: Path
    version: str
    own: tuple[Path, ...] = ()

    @property
    def tasks_folder(self) -> Path:
        return self.folder / "tasks"

    def root_of(self, path: Path) -> Path:
        """The folder of tasks that a YAML was found in."""
        return next(root for root in (*self.own, self.tasks_folder) if path.is_relative_to(root))


def installed() -> Installed:
    """The lmms-eval of EVAL_LMMS_PYTHON, of `.venv-lmms`, or of this interpreter. Raises TaskError that says how."""
    given = os.environ.get("EVAL_LMMS_PYTHON")
    if given:
        python = Path(given).expanduser()
        if not python.is_file():
            raise TaskError(f"EVAL_LMMS_PYTHON={given}: no such file; {_HOW}")
    else:
        python = next(p.absolute() for p in (_OWN_ENVIRONMENT, Path(sys.executable)) if p.is_file())
    found = _look(python)
    if found is None:
        raise TaskError(f"lmms-eval is not installed for {python}: {_HOW}")
    own = [Path(folder).expanduser() for folder in os.environ.get("EVAL_LMMS_TASKS", "").split(os.pathsep) if folder]
    for folder in own:
        if not folder.is_dir():
            raise TaskError(f"EVAL_LMMS_TASKS: no such folder: {folder}")
    return replace(found, own=tuple(folder.resolve() for folder in own))


@cache
def _look(python: Path) -> Installed | None:
    done = subprocess.run(  # noqa: S603
        [str(python), "-c", _FIND], capture_output=True, text=True, timeout=60, check=False
    )
    folder, _, version = done.stdout.strip().partition("\n")
    return Installed(python, Path(folder), version.strip()) if done.returncode == 0 and folder else None


@dataclass(frozen=True)
class Index:
    """tasks: name → YAML; members: group or tag → names of tasks and groups, in order."""

    tasks: dict[str, Path]
    members: dict[str, tuple[str, ...]]

    def leaves(self, name: str) -> list[str]:
        """The tasks of a group or tag; a task is its own."""
        if name in self.tasks:
            return [name]
        return list(dict.fromkeys(leaf for member in self.members.get(name, ()) for leaf in self.leaves(member)))


@cache
def index_of(found: Installed) -> Index:
    """Every task, group and tag, read from the lines of the YAML files: nothing is imported."""
    tasks: dict[str, Path] = {}
    members: dict[str, tuple[str, ...]] = {}
    tags: dict[str, list[str]] = {}
    for path in (p for root in (found.tasks_folder, *found.own) for p in sorted(root.rglob("*.yaml"))):
        text = path.read_bytes().removeprefix(codecs.BOM_UTF8)
        if line := _TASK_LINE.search(text) or _in_included(path, text):
            name = yaml.safe_load(line.group())["task"]
            # Two names are given twice; the user's own come last and count.
            if str(name) not in tasks or path.stem == name or found.root_of(path) in found.own:
                tasks[str(name)] = path
            for match in _TAG_LINES.findall(text):
                (value,) = yaml.safe_load(match).values()
                for tag in [value] if isinstance(value, str) else value or []:
                    tags.setdefault(str(tag), []).append(str(name))
        elif b"group" in text:
            _add_group(path, members)
    return Index(tasks, {**{tag: tuple(names) for tag, names in tags.items()}, **members})


def _in_included(path: Path, text: bytes) -> re.Match[bytes] | None:
    """The line of the name in the file that a YAML includes, for one that names itself there."""
    include = _INCLUDE.search(text)
    file = path.parent / include[1].decode().strip() if include else path
    return _TASK_LINE.search(file.read_bytes()) if include and file.is_file() else None


class _Lenient(yaml.SafeLoader):
    """YAML in which `!function` is only a name."""


_Lenient.add_constructor("!function", lambda loader, node: str(node.value))


def _add_group(path: Path, members: dict[str, tuple[str, ...]]) -> None:
    try:
        fields: Any = yaml.load(path.read_bytes(), _Lenient)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError:
        return  # lmms-eval does not see it either
    if not isinstance(fields, dict) or not isinstance(fields.get("task"), list):
        return
    names = [entry.get("task") or entry.get("group") if isinstance(entry, dict) else entry for entry in fields["task"]]
    members[str(fields.get("group"))] = tuple(str(name) for name in names if isinstance(name, str))


def yaml_of(name: str) -> tuple[Installed, Path]:
    """The YAML of a task. Raises TaskError, with the nearest names, or the members of a group."""
    found = installed()
    index = index_of(found)
    if name in index.tasks:
        return found, index.tasks[name]
    if leaves := index.leaves(name):
        raise TaskError(f"lmms-eval's '{name}' is a group of {len(leaves)} tasks: {', '.join(leaves[:8])} ...", name)
    known = nearest(name, [*index.tasks, *index.members], "known tasks")
    raise TaskError(f"lmms-eval {found.version} has no task '{name}': {known}", PREFIX + name)


def family_of(found: Installed, path: Path) -> Path:
    """The folder below `tasks/` that a YAML belongs to: what one process serves."""
    root = found.root_of(path)
    relative = path.relative_to(root)
    return root / relative.parts[0] if len(relative.parts) > 1 else root


def definition_of(found: Installed, path: Path) -> str:
    """Hex digest of lmms-eval's version and of every source file that a task's family may run or include.

    An edit of a checked-out lmms-eval in another family, whose functions this one imports, is not seen.
    """
    hashed = hashlib.sha256(found.version.encode())
    family, root = family_of(found, path), found.root_of(path)
    folders = [family, *(found.tasks_folder / name for name in _SHARED)]
    folders += [found.folder / name for name in ("api", "filters", "llm_judge", "verifiers")]
    for folder in folders:
        files = folder.glob("*") if folder == root else folder.rglob("*")
        for file in sorted(f for f in files if f.suffix in (".py", ".yaml", "") and f.is_file()):
            hashed.update(f"\0{file.relative_to(folder)}\0".encode())
            hashed.update(file.read_bytes())
    hashed.update(str(path.relative_to(root)).encode())
    return hashed.hexdigest()
