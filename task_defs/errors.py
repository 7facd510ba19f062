"""What a user did wrong in a task, with the place to mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something stands: a file and a line counted from 1 (0: the file as a whole).

    block: the value is a YAML block scalar, whose text begins on the next line.
    """

    file: str
    line: int
    block: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: what was expected and what was found, at a place."""

    message: str
    field: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.field, self.message) if part)


class TaskError(ValueError):
    """Everything a user can do wrong with a task; lists all faults that were found together."""

    def __init__(self, problems: Problem | str | Sequence[Problem], task: str = "") -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.task = task
        lines = [str(problem) for problem in self.problems]
        super().__init__(lines[0] if len(lines) == 1 else f"{len(lines)} problems:\n  " + "\n  ".join(lines))


def nearest(name: str, known: Iterable[str], what: str = "known") -> str:
    """`did you mean a, b?`, or else the list of all that is known."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f"did you mean {', '.join(close)}?"
    shown = ", ".join(known[:20]) + (f" ... ({len(known)} in all)" if len(known) > 20 else "")
    return f"{what}: {shown or 'none'}"


def fault(field: str, message: str) -> PydanticCustomError:
    """An error of a validator that looks at several fields, laid to one of them.

    field: dotted, relative to the model that is validated (`metric_list.0.name`).
    """
    return PydanticCustomError("at_field", "{message}", {"field": field, "message": message})


class RenderError(TaskError):
    """A row that a task's template or function cannot work with; names task, field and item."""
