"""Prompts of judges: Jinja, from `judges/prompts/`, from a task's folder, or as text in the YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

FOLDER = Path(__file__).parent / "prompts"
SUFFIX = ".j2"


class PromptError(ValueError):
    """A prompt cannot be rendered for an item: the item is unscored, with this as the reason."""


@cache
def _environment() -> SandboxedEnvironment:
    return SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)


def prompt_names() -> tuple[str, ...]:
    """Names of the prompts in `judges/prompts/`."""
    return tuple(sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}")))


def prompt_text(value: str) -> str:
    """The template that a parameter means: a name of `prompt_names()`, else the template itself.

    A file of the task's folder has been read by the task's loader. Raises ValueError for a file or a name
    that there is not, and for a template that is none.
    """
    text = value
    if value in prompt_names():
        text = (FOLDER / f"{value}{SUFFIX}").read_text(encoding="utf-8")
    elif value.endswith(SUFFIX):
        raise ValueError(f"no prompt file {value!r} beside the task's YAML; there are also {', '.join(prompt_names())}")
    elif value and "\n" not in value and "{{" not in value and " " not in value:
        raise ValueError(
            f"no prompt {value!r}: there are {', '.join(prompt_names())}, or give a file or the text itself"
        )
    return template_text(text)


def template_text(text: str) -> str:
    """The text itself; raises ValueError where it is no template."""
    try:
        _environment().parse(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"not a template, line {error.lineno}: {error.message}") from error
    return text


@cache
def compiled(text: str) -> Callable[[Mapping[str, Any]], str]:
    """A template as a function; it raises PromptError naming the field that an item lacks."""
    template = _environment().from_string(text)

    def render(variables: Mapping[str, Any]) -> str:
        try:
            return template.render(variables)
        except UndefinedError as error:
            raise PromptError(f"the judge's prompt: {error.message}") from error

    return render
