"""What an agent wants to do, read from its answer: one JSON object somewhere in the text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_DECODER = json.JSONDecoder()
_NAMES, _ARGUMENTS, _SAYINGS = ("tool", "name"), ("args", "arguments", "parameters"), ("say",)


class NoAction(ValueError):
    """The answer holds no action; the message tells the agent what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Say:
    """Words to the customer."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool and its arguments, neither looked at yet."""

    tool: str
    args: Mapping[str, Any]


def read_action(text: str) -> Say | Call:
    """The one action of an answer: `{"tool": NAME, "args": {...}}` or `{"say": TEXT}`.

    Prose and code fences around it do no harm, nor do the names `name`, `arguments` and `parameters` that models were
    taught by others. Two different actions in one answer are none. Raises NoAction.
    """
    found = [action for action in map(_action, _objects(text)) if action is not None]
    if not found:
        raise NoAction('there is no JSON object with "tool" or "say" in it')
    if any(action != found[0] for action in found[1:]):
        raise NoAction(f"there are {len(found)} actions in it: one at a time")
    return found[0]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The outermost JSON objects in a text."""
    start = text.find("{")
    while start >= 0:
        try:
            found, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError:
            end = start + 1
        except RecursionError:
            return
        else:
            yield found
        start = text.find("{", end)


def _action(found: Mapping[str, Any]) -> Say | Call | None:
    tool, args, said = (next((found[n] for n in names if n in found), None) for names in (_NAMES, _ARGUMENTS, _SAYINGS))
    if tool is None and said is None:
        return None
    if tool is not None and said is not None:
        raise NoAction('it has both "tool" and "say": one at a time')
    if said is not None:
        if not isinstance(said, str) or not said.strip():
            raise NoAction('"say" must be a text for the customer')
        return Say(said)
    if not isinstance(tool, str):
        raise NoAction('"tool" must be the name of a tool')
    if not isinstance(args, Mapping | None):
        raise NoAction('"args" must be an object')
    return Call(tool, args or {})
