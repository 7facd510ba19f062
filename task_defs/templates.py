"""Jinja for tasks: sandboxed, strict about missing fields and about null."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.sandbox import SandboxedEnvironment

Doc = Mapping[str, Any]
_ONE_EXPRESSION = re.compile(r"\{\{[-+]?(.*?)[-+]?\}\}", re.DOTALL)


class NullField(UndefinedError):
    """A template prints null: a prompt that says "None" is never meant."""


def _not_null(value: Any) -> Any:
    if value is None:
        raise NullField("a value that is printed is null: give another, as in {{ field or '' }}")
    return value


@cache
def environment() -> Environment:
    return SandboxedEnvironment(
        undefined=StrictUndefined,
        finalize=_not_null,
        keep_trailing_newline=True,
        autoescape=False,  # prompts are plain text, not HTML
    )


def is_template(text: str) -> bool:
    return "{{" in text or "{%" in text or "{#" in text


def _variables(doc: Doc) -> dict[str, Any]:
    """A row's fields, and the row itself as `doc` for names that are no identifiers."""
    return {"doc": doc, **doc}


def compile_text(source: str) -> Callable[[Doc], str]:
    """A template that renders to text; raises TemplateSyntaxError here, UndefinedError there."""
    template = environment().from_string(source)
    return lambda doc: template.render(_variables(doc))


def single_expression(source: str) -> str | None:
    """The inside of a template that is one `{{ expression }}` and nothing else."""
    stripped = source.strip()
    body = environment().parse(stripped).body
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        return None
    match = _ONE_EXPRESSION.fullmatch(stripped)
    return match[1] if match and not isinstance(body[0].nodes[0], nodes.TemplateData) else None


def compile_value(source: str) -> Callable[[Doc], Any]:
    """A template that gives a value: one expression keeps its type (a list stays a list)."""
    inside = single_expression(source)
    if inside is None:
        return compile_text(source)
    expression = environment().compile_expression(inside, undefined_to_none=False)

    def value(doc: Doc) -> Any:
        found = expression(_variables(doc))
        if isinstance(found, Undefined):
            found._fail_with_undefined_error()
        return found

    return value


__all__ = [
    "Doc",
    "NullField",
    "TemplateSyntaxError",
    "UndefinedError",
    "compile_text",
    "compile_value",
    "is_template",
    "single_expression",
]
