"""Functions of a task: Python beside its YAML, loaded privately and never from elsewhere."""

from __future__ import annotations

import ast
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from task_defs.errors import Problem, TaskError
from task_defs.model import FunctionRef

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def find_function(name: str, folders: list[Path]) -> FunctionRef:
    """The function `module.f` (or `package.module.f`) in the first folder that has its file.

    Raises TaskError where no folder has the file, the file lies outside its folder (a link), is
    not Python, or does not define the name. The file is parsed and not run.
    """
    if not DOTTED.fullmatch(name):
        raise TaskError(f"expected a function as 'file.function' (for example utils.f), found {name!r}")
    *modules, attribute = name.split(".")
    relative = Path(*modules).with_suffix(".py")
    for folder in folders:
        file = folder / relative
        if not file.is_file():
            continue
        if not file.resolve().is_relative_to(folder.resolve()):
            raise TaskError(f"function {name}: {file} leads outside the task's folder: copy the file into it")
        if attribute not in _defined(file):
            raise TaskError(f"function {name}: {file} defines no '{attribute}'")
        return FunctionRef(name=name, file=file)
    looked = ", ".join(str(folder / relative) for folder in folders)
    raise TaskError(f"function {name}: no such file: looked for {looked}")


def _defined(file: Path) -> set[str]:
    try:
        tree = ast.parse(read_source(file), filename=str(file))
    except SyntaxError as error:
        raise TaskError(Problem(f"not Python: {error.msg}", file=str(file), line=error.lineno or 0)) from error
    return set(_names(tree))


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]


def read_source(file: Path) -> str:
    """The text of a function file, with `\\n` line ends wherever it was checked out."""
    try:
        return file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise TaskError(Problem(f"not UTF-8: {error.reason}", file=str(file))) from error


def source_digest(ref: FunctionRef) -> str:
    """Hex digest of the whole file that holds the function: what the function calls counts too."""
    return hashlib.sha256(read_source(ref.file).encode()).hexdigest()


class _TextLoader(importlib.abc.InspectLoader):
    """Runs a given text as a module: what is digested is what runs, and no .pyc is written."""

    def __init__(self, source: str, file: Path) -> None:
        self.source, self.file = source, file

    def get_source(self, fullname: str) -> str:
        return self.source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.source, str(self.file))


def _module(file: Path) -> ModuleType:
    source = read_source(file)
    # The content is part of the name: an edited file is a new module in a long-lived process.
    key = hashlib.sha256(f"{file.resolve()}\0{source}".encode()).hexdigest()[:24]
    name = f"_task_functions_{key}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.machinery.ModuleSpec(name, _TextLoader(source, file), origin=str(file))
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while it runs
    try:
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        raise TaskError(Problem(f"cannot be loaded: {type(error).__name__}: {error}", file=str(file))) from error
    return module


def load_function(ref: FunctionRef) -> Callable[..., Any]:
    """The function itself; raises TaskError where its file cannot be run."""
    function = getattr(_module(ref.file), ref.attribute, None)
    if not callable(function):
        raise TaskError(Problem(f"'{ref.attribute}' is not a function", file=str(ref.file)))
    return function  # type: ignore[no-any-return]


def with_functions(setting: Any, load: Callable[[FunctionRef], Any]) -> Any:
    """A judge's setting with each function that it names as `load` gives it; a judge inside it has its own."""
    if isinstance(setting, FunctionRef):
        return load(setting)
    if isinstance(setting, dict):
        return {key: with_functions(inner, load) for key, inner in setting.items()}
    return setting
