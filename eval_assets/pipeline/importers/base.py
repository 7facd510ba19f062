"""What every importer gives: a log, and its answers one by one."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

# What one piece of a log (a line, a zip's member, a value) may unpack to: it is held in memory as a whole.
PART_BYTES = 256 * 2**20


class ImportRefused(ValueError):
    """The file cannot be read, or its answers cannot be matched with the task's items; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One sample of one item, as the log has it.

    where:    its place in the log, for messages: "line 7".
    text:     what the model said; None where the log has no answer.
    error:    why there is none.
    id:       the data set's own id of the item. row: its row number in the data set, from 0.
    question: the question or the whole prompt. target: the labels (any of them is right).
    doc_hash: of the data set's row, as the LM Evaluation Harness hashes it.
    fields:   further fields that the item may be found by.
    sample:   which of the item's answers, from 0; None: they are counted as they come.
    """

    where: str
    text: str | None
    error: str | None = None
    id: str | None = None
    row: int | None = None
    question: str | None = None
    target: tuple[str, ...] | None = None
    doc_hash: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    sample: int | None = None
    finish_reason: str = "stop"
    reasoning: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    served_by: str = ""


@dataclass
class Log:
    """A log that was recognised and whose answers can be read, once.

    found:  what it was recognised by. match: how its items can be found, the best way first (`matching`).
    rows_are_samples: several rows of one item are its samples; otherwise they are duplicates.
    notes:  what a reader should know; it may grow while answers are read.
    """

    path: Path
    format: str
    found: str
    answers: Iterator[Answer]
    match: tuple[str, ...]
    task: str | None = None
    model: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    rows_are_samples: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fields:
    """Which fields of plain rows hold what; dots lead into nested ones."""

    id: str | None = None
    response: str | None = None
    sample: str | None = None
    error: str | None = None
    question: str | None = None
    target: str | None = None


@dataclass(frozen=True)
class Options:
    """How a log is read. part_bytes: see PART_BYTES. empty_is_missing: an empty text is no answer."""

    fields: Fields = Fields()
    part_bytes: int = PART_BYTES
    empty_is_missing: bool = False


@contextlib.contextmanager
def shape_of(place: str) -> Iterator[None]:
    """Code that takes apart what a log should look like; a log that does not is refused with its place."""
    try:
        yield
    except (AttributeError, TypeError, KeyError) as error:
        raise ImportRefused(f"{place} is not written as such logs are ({type(error).__name__}: {error})") from error


def as_text(value: Any) -> str:
    """A value that stands for text; what is none is JSON, and 3.0 of a table is 3."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def targets(value: Any) -> tuple[str, ...] | None:
    """A label, or the list of those that are right, as texts."""
    if value is None or value == []:
        return None
    return tuple(as_text(v) for v in value) if isinstance(value, list) else (as_text(value),)


_SECRET = re.compile(
    r"(?i)(api|access|auth|hf|private|secret)[_-]?(key|token)|^token$|secret|passw|authorization|cookie"
)
_KEPT = 2000  # characters of a setting


def kept_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as provenance keeps them: nothing empty, no secret, no endless text."""
    found = {}
    for name, value in values.items():
        if value is None or value in ("", [], {}):
            continue
        if _SECRET.search(str(name)):
            found[str(name)] = "(not kept)"
        elif isinstance(value, Mapping):
            if inner := kept_settings(value):
                found[str(name)] = inner
        elif isinstance(value, str):
            found[str(name)] = _without_secrets(value)[:_KEPT]
        elif isinstance(value, (bool, int, float)) or len(json.dumps(value, default=str)) <= _KEPT:
            found[str(name)] = json.loads(json.dumps(value, default=str))
    return found


def _without_secrets(text: str) -> str:
    """`a=b,api_key=x` and `https://user:word@host` without what nobody should read."""
    parts = []
    for part in text.split(","):
        name, separator, _ = part.partition("=")
        parts.append(f"{name}=(not kept)" if separator and _SECRET.search(name.strip()) else part)
    text = ",".join(parts)
    if "@" in text and "://" in text and " " not in text:
        place = urlsplit(text)
        text = urlunsplit(place._replace(netloc=place.netloc.rpartition("@")[2]))
    return text
