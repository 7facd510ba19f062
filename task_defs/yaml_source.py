"""YAML with the line of every value, `!function`, and `include`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from task_defs.errors import Mark, Problem, TaskError

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class FunctionTag:
    """`!function utils.f`, not yet looked up."""

    name: str


class _Loader(yaml.SafeLoader):
    """Safe YAML and `!function`."""


def _construct_function(loader: yaml.SafeLoader, node: yaml.Node) -> FunctionTag:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.constructor.ConstructorError(None, None, "expected !function file.name", node.start_mark)
    return FunctionTag(str(node.value))


_Loader.add_constructor("!function", _construct_function)


@dataclass(frozen=True, slots=True)
class RawTask:
    """The fields of a task's YAML with everything it includes, and where each stands.

    files: the YAML first, then what it includes.
    """

    fields: dict[str, Any]
    marks: dict[Location, Mark]
    files: tuple[Path, ...]

    def origin(self, field: str) -> Path:
        """The YAML that gives this field."""
        return Path(self.marks[(field,)].file) if (field,) in self.marks else self.files[0]


def read_task_yaml(path: Path, root: Path) -> RawTask:
    """Read a task's YAML and what it includes; the including file's fields win, whole.

    root: the folder that included files must lie in.
    Raises TaskError for YAML that cannot be read, an include outside the root or in a cycle.
    """
    return _read(path, root, ())


def _read(path: Path, root: Path, above: tuple[Path, ...]) -> RawTask:
    fields, marks = _read_one(path)
    include = fields.pop("include", None)
    if include is None:
        return RawTask(fields, marks, (path,))
    target = _included(include, path, root, marks[("include",)], (*above, path))
    base = _read(target, root, (*above, path))
    merged = {
        **{location: mark for location, mark in base.marks.items() if location and location[0] not in fields},
        **marks,
    }
    return RawTask({**base.fields, **fields}, merged, (path, *base.files))


def _included(include: Any, path: Path, root: Path, mark: Mark, above: tuple[Path, ...]) -> Path:
    def problem(message: str) -> TaskError:
        return TaskError(Problem(message, "include", mark.file, mark.line))

    if not isinstance(include, str) or not include:
        raise problem(f"expected the path of a YAML file, found {include!r}")
    target = path.parent / include
    if not target.resolve().is_relative_to(root.resolve()):
        raise problem(f"'{include}' lies outside {root}: only files of the same folder of tasks")
    if not target.is_file():
        raise problem(f"no such file: {target}")
    if target.resolve() in {one.resolve() for one in above}:
        raise problem("a cycle: " + " -> ".join(p.name for p in (*above, target)))
    return target


def _read_one(path: Path) -> tuple[dict[str, Any], dict[Location, Mark]]:
    try:
        loader = _Loader(path.read_bytes())
    except OSError as error:
        raise TaskError(Problem(f"cannot be read: {error.strerror}", file=str(path))) from error
    except yaml.YAMLError as error:
        raise _yaml_problem(error, path) from error
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise TaskError(Problem("expected a mapping of fields (task: ...)", file=str(path), line=1))
        marks: dict[Location, Mark] = {}
        problems: list[Problem] = []
        _walk(node, (), str(path), marks, problems)
        if problems:
            raise TaskError(problems)
        fields: Any = loader.construct_document(node)
    except yaml.YAMLError as error:
        raise _yaml_problem(error, path) from error
    finally:
        loader.dispose()
    marks[()] = Mark(str(path), 1)
    return fields, marks


def _walk(node: yaml.Node, at: Location, file: str, marks: dict[Location, Mark], problems: list[Problem]) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = str(key.value)
            if name in seen:
                where = ".".join(map(str, (*at, name)))
                problems.append(Problem(f"stands here twice, first in line {seen[name]}", where, file, line))
            seen[name] = line
            if key.tag != "tag:yaml.org,2002:merge":
                marks[(*at, name)] = Mark(file, line, getattr(value, "style", None) in ("|", ">"))
                _walk(value, (*at, name), file, marks, problems)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            marks[(*at, index)] = Mark(file, value.start_mark.line + 1)
            _walk(value, (*at, index), file, marks, problems)


def _yaml_problem(error: yaml.YAMLError, path: Path) -> TaskError:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        found = " ".join(part for part in (error.problem, error.context) if part)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return TaskError(Problem(f"not YAML: {found} (column {column})", file=str(path), line=line))
    # The reader's error (a byte that is not UTF-8, a control character) knows no line.
    return TaskError(Problem(f"not YAML: {str(error).splitlines()[0]}", file=str(path)))
