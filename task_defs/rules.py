"""A field of a task (a name, Jinja, a function, a constant) as a function of a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from task_defs.conversation import Turn, compile_turns, read_turns
from task_defs.functions import load_function
from task_defs.model import FunctionRef
from task_defs.templates import Doc, compile_text, compile_value, is_template


class MissingField(LookupError):
    """A field that a task names and a row does not have."""


def field_rule(name: str) -> Callable[[Doc], Any]:
    def read(doc: Doc) -> Any:
        if name not in doc:
            raise MissingField(f"the row has no field '{name}' (it has {', '.join(map(str, doc)) or 'none'})")
        return doc[name]

    return read


def reader(rule: str | FunctionRef) -> Callable[[Doc], Any]:
    """A function, a Jinja value or a field."""
    if isinstance(rule, FunctionRef):
        return load_function(rule)
    return compile_value(rule) if is_template(rule) else field_rule(rule)


def text_rule(rule: str | FunctionRef) -> Callable[[Doc], Any]:
    if isinstance(rule, str) and not rule.isidentifier():
        return compile_text(rule)  # without braces: a constant
    return reader(rule)


def system_rule(rule: str | FunctionRef | None) -> Callable[[Doc], Any] | None:
    if not rule:
        return None
    return load_function(rule) if isinstance(rule, FunctionRef) else compile_text(rule)


def messages_rule(rule: Any) -> Callable[[Doc], tuple[Turn, ...]] | None:
    if rule is None:
        return None
    if isinstance(rule, tuple):
        return compile_turns(rule)
    read = reader(rule)
    return lambda doc: read_turns(listed(read(doc)))


def target_rule(rule: Any) -> Callable[[Doc], Any]:
    if isinstance(rule, (str, FunctionRef)):
        return reader(rule)
    return lambda doc: rule


def choices_rule(rule: Any) -> Callable[[Doc], Any] | None:
    if rule is None:
        return None
    if isinstance(rule, tuple):
        entries = [compile_text(entry) for entry in rule]
        return lambda doc: [entry(doc) for entry in entries]
    return reader(rule)


def listed(value: Any) -> Any:
    """A generator (what Jinja's `map` and `select` give) as a list."""
    return list(value) if hasattr(value, "__next__") else value
