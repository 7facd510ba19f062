"""Faults of Jinja in a task, with the line that each stands in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from task_defs.conversation import Turn
from task_defs.errors import Problem
from task_defs.media_spec import VideoSpec
from task_defs.model import TaskDef
from task_defs.templates import TemplateSyntaxError, compile_text, is_template, single_expression
from task_defs.window import TIMES

_TEMPLATES = (
    "system_prompt",
    "description",
    "doc_to_text",
    "doc_to_messages",
    "doc_to_choice",
    "doc_to_id",
    "doc_to_target",
    "cluster_key",
    "video",
)


def template_problems(task: TaskDef) -> list[Problem]:
    """Faults of Jinja in any field of the task."""
    problems = []
    for field in _TEMPLATES:
        value = getattr(task, field)
        for at, source in _sources(field, value):
            mark = task.mark(*at)
            file, line = (mark.file, mark.line) if mark else ("", 0)
            try:
                compile_text(source)
                if field == "doc_to_choice" and not isinstance(value, tuple) and not single_expression(source):
                    problems.append(
                        Problem(
                            f"expected one {{{{ expression }}}} that gives a list, found {source!r}",
                            field,
                            file,
                            line,
                        )
                    )
            except TemplateSyntaxError as error:
                if mark and mark.block:
                    line += error.lineno
                problems.append(Problem(f"not Jinja: {error.message}", field, file, line))
    return problems


def _sources(field: str, value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Each template of a field, and where it stands."""
    if isinstance(value, VideoSpec):
        times = {name: getattr(value, name) for name in TIMES}
        yield from (((field, name), time) for name, time in times.items() if time and is_template(time))
        return
    for number, entry in enumerate(value if isinstance(value, tuple) else (value,)):
        if isinstance(entry, Turn):
            yield from (((field, number, "content"), text) for text in entry.texts if is_template(text))
        elif isinstance(entry, str) and is_template(entry):
            yield (field,), entry
