"""Finding the answer in a text, apart from judging it.

A task writes, for any judge that reads text:

    extract: boxed                                  # one method
    extract: [boxed, {after: "Answer:"}, last_line] # tried in order, the first that finds something
    extract: {pattern: "A: (.*)", which: last}      # a regular expression: group 1, or all of it
    extract: {strip_reasoning: false, methods: [whole]}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from judges.numerals import find_numbers
from judges.options import find_choice

Method = Literal["whole", "last_line", "boxed", "answer", "after", "choice", "last_number", "pattern"]

# A pattern of the task's author sees at most this much of a text (its end for `last`, else its
# beginning), so that a quadratic expression costs seconds, not hours, on a runaway response.
PATTERN_CHARS = 20_000
_TAGS = "think|thinking|thought|reasoning|reflection"
_TAG = re.compile(
    rf"(?P<open><(?:{_TAGS})>|◁think▷|<\|begin_of_thought\|>)"
    rf"|(?P<close></(?:{_TAGS})>|◁/think▷|<\|end_of_thought\|>)",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"\banswers?\b(?:\s+(?:to|for)\s[^.:\n]{0,80}?)?[\s*_]*(?:is|are|would\s+be|must\s+be|[:=])[\s*_:]*"
    r"(?P<answer>[^\s*_][^\n]*)",
    re.IGNORECASE,
)
_BRACE = re.compile(r"\\f?box(?:ed)?\s*\{|\\.|[{}]", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


class Step(BaseModel):
    """One way of finding an answer. `pattern` goes with the method of that name, `marker` with `after`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method
    pattern: str | None = None
    which: Literal["first", "last"] = "last"
    marker: str = "Answer:"

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"method": value}
        if isinstance(value, dict):
            if "after" in value:
                value = {**value, "method": "after", "marker": value["after"]}
                del value["after"]
            if "pattern" in value:
                value = {"method": "pattern", **value}
        return value

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _complete(self) -> Step:
        if (self.method == "pattern") != (self.pattern is not None):
            raise ValueError("`pattern` needs an expression, and only that method takes one")
        return self


class Extract(BaseModel):
    """How an answer is found. strip_reasoning: drop a complete <think> block; an open one leaves none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strip_reasoning: bool = True
    methods: tuple[Step, ...] = (Step(method="whole"),)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"methods": [value]}
        if isinstance(value, list | tuple):
            return {"methods": list(value)}
        if isinstance(value, dict):
            step = {k: v for k, v in value.items() if k in ("method", "pattern", "which", "after", "marker")}
            if step and "methods" not in value:
                return {**{k: v for k, v in value.items() if k not in step}, "methods": [step]}
        return value

    @field_validator("methods")
    @classmethod
    def _some(cls, value: tuple[Step, ...]) -> tuple[Step, ...]:
        if not value:
            raise ValueError(f"name at least one method of {', '.join(get_args(Method))}")
        return value


def strip_reasoning(text: str) -> str:
    """The text behind the model's reasoning; empty where the reasoning never ended.

    A closing tag without an opening one ends the reasoning as well: some chat templates put the
    opening tag into the prompt.
    """
    kept: list[str] = []
    start, inside = 0, False
    for tag in _TAG.finditer(text):
        if tag.lastgroup == "close":
            kept = kept if inside else []
            start, inside = tag.end(), False
        elif not inside:
            kept.append(text[start : tag.start()])
            inside = True
    return "" if inside else "".join(kept) + text[start:]


def extract(text: str, how: Extract, choices: Sequence[str] | None = None) -> str | None:
    """The answer that the first successful method finds, without surrounding space; else None.

    The reasoning must already be gone (`strip_reasoning`).
    """
    for step in how.methods:
        found = _apply(text, step, choices)
        if found is not None and found.strip():
            return found.strip()
    return None


def boxed(text: str) -> list[str]:
    r"""The contents of each \boxed{...} in the order in which they end; braces are balanced."""
    found: list[str] = []
    open_: list[int | None] = []  # where the content of each open brace starts; None: not a box
    for match in _BRACE.finditer(text):
        if match.group() == "}":
            start = open_.pop() if open_ else None
            if start is not None:
                found.append(text[start : match.start()])
        elif match.group().endswith("{") and not match.group().startswith("\\{"):
            open_.append(match.end() if match.group() != "{" else None)
    return found


def stated_answer(text: str) -> str | None:
    """What follows the last "answer is" or "Answer:", up to the end of its sentence."""
    found = None
    for match in _ANSWER.finditer(text):
        found = match.group("answer")
    return None if found is None else _SENTENCE_END.split(found, 1)[0].strip().rstrip("*_.").strip()


def _apply(text: str, step: Step, choices: Sequence[str] | None) -> str | None:
    match step.method:
        case "whole":
            return text
        case "last_line":
            return next((line for line in reversed(text.splitlines()) if line.strip()), None)
        case "boxed":
            return next(reversed(boxed(text)), None)
        case "answer":
            return stated_answer(text)
        case "after":
            *_, tail = re.split(re.escape(step.marker), text, flags=re.IGNORECASE)
            return tail.strip().split("\n")[0] if len(tail) < len(text) else None
        case "choice":
            return find_choice(text, choices)
        case "last_number":
            return next((n.text for n in reversed(list(find_numbers(text)))), None)
        case "pattern":
            return _search(text, step.pattern or "", step.which)


def _search(text: str, pattern: str, which: str) -> str | None:
    bounded = text[:PATTERN_CHARS] if which == "first" else text[-PATTERN_CHARS:]
    found: re.Match[str] | None = None
    for match in re.finditer(pattern, bounded):
        found = match
        if which == "first":
            break
    if found is None:
        return None
    return found.group(1) if found.re.groups else found.group()
