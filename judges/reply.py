"""A verdict out of what a judge model wrote: JSON where it can be found, a named line where not."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Value = TypeVar("Value")
_SHOWN = 120  # characters of a judge's text in a reason
_FENCE = re.compile(r"^```\w*\s*$", re.MULTILINE)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


class Unreadable(ValueError):
    """A judge's text holds no verdict, or more than one; the text before the colon is the kind of fault."""

    @classmethod
    def nothing(cls) -> Unreadable:
        return cls("judge answered nothing")

    @classmethod
    def no_verdict(cls, text: str, expected: str) -> Unreadable:
        return cls(f"judge gave no verdict: expected {expected}, found {shown(text)}")

    @classmethod
    def several(cls, verdicts: Iterable[Any]) -> Unreadable:
        return cls(f"judge gave several verdicts: {' and '.join(map(str, verdicts))}")


def shown(text: str) -> str:
    """The start of a text on one line."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= _SHOWN else flat[: _SHOWN - 3] + "...")


def objects(text: str) -> list[dict[str, Any]]:
    """Every JSON object in a text, prose and code fences around it; Python's notation is taken, too.

    An object inside another is part of that one and is not listed.
    """
    text, found, at = _FENCE.sub("", text), [], 0
    while (at := text.find("{", at)) >= 0:
        value, end = _object_at(text, at)
        if value is None:
            at += 1
        else:
            found.append(value)
            at = end
    return found


def _object_at(text: str, start: int) -> tuple[dict[str, Any] | None, int]:
    try:
        value, end = json.JSONDecoder(strict=False).raw_decode(text, start)
        return (value, end) if isinstance(value, dict) else (None, start)
    except (ValueError, RecursionError):
        end = text.find("}", start) + 1  # no nesting in what is mended
        piece = _TRAILING_COMMA.sub(r"\1", text[start:end])
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(piece)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, dict):
            return value, end
    return None, start


def verdict_of(text: str, field: str, read: Callable[[Any], Value | None], expected: str) -> Value:
    """The value of `field` in a judge's text.

    read: a raw value as a verdict, None where it is none. Looked for in JSON objects (the field's case does not
    matter), else in lines such as `Score: 4`, else the whole text may be the verdict. The same verdict twice is
    one. Raises Unreadable for an empty text, no verdict, several different ones.
    """
    if not text.strip():
        raise Unreadable.nothing()
    raw = [v for found in objects(text) for k, v in found.items() if str(k).strip().lower() == field.lower()]
    raw = raw or re.findall(rf"(?im)^[\W_]*{re.escape(field)}[\W_]*?[:=][ \t]*(.+?)[ \t.*_`]*$", text) or [text]
    verdicts = [read(value) for value in raw]
    known = list(dict.fromkeys(v for v in verdicts if v is not None))
    if len(known) > 1:
        raise Unreadable.several(known)
    if not known:
        raise Unreadable.no_verdict(text, expected)
    return known[0]


def number(value: Any, low: float, high: float) -> float | None:
    """A number from low to high, also as text (`4`, `4/5`, `8 out of 10` where that is the scale's end)."""
    if isinstance(value, str):
        match = re.fullmatch(r"\W*([-+]?\d+(?:\.\d+)?)(?:\s*(?:/|out of)\s*(\d+(?:\.\d+)?))?\W*", value.strip())
        if not match or (match[2] and float(match[2]) != high):
            return None
        value = float(match[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if low <= value <= high else None


def name(value: Any, names: Iterable[str]) -> str | None:
    """One of the names, whatever case, space, hyphens and marks around it."""
    if not isinstance(value, str):
        return None
    found = _plain(value)
    return next((one for one in names if _plain(one) == found), None)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().casefold()
