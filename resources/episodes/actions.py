"""Reading an action from an answer, however it is said."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

_OBJECT = re.compile(r"\{[^{}]*\}")
_NUMBER = re.compile(r'(?:action|answer)?[\s:=#*("]*(-?\d+)[\s.)*"]*', re.IGNORECASE)


class Read(NamedTuple):
    """An action, or (None) what is wrong with the answer, to be told to the model."""

    action: str | None
    problem: str = ""


def read_action(answer: str, actions: Sequence[str]) -> Read:
    """The action that an answer chooses.

    The last JSON object with `action` decides; else the name that stands last in the text, whole words, in any
    spelling of case, spaces, `-` and `_`; else a last line that is nothing but the action's number, from 0.
    """
    if not answer.strip():
        return Read(None, "The answer was empty.")
    if (said := _from_json(answer)) is not None:
        return _named(said, actions)
    names = {_plain(action): action for action in actions}
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    found = re.findall(rf"(?<![\w-])(?:{pattern})(?![\w-])", _plain(answer)) if names else []
    if found:
        return Read(names[found[-1]])
    if match := _NUMBER.fullmatch(answer.strip().splitlines()[-1].strip()):
        return _numbered(int(match.group(1)), actions)
    return Read(None, "The answer named no action.")


def _from_json(answer: str) -> str | int | None:
    """`action` of the last JSON object that has one."""
    for text in reversed(_OBJECT.findall(answer)):
        try:
            said = json.loads(text)
        except ValueError:
            continue
        if isinstance(said, dict) and isinstance(said.get("action"), str | int):
            action: str | int = said["action"]
            return action
    return None


def _named(said: str | int, actions: Sequence[str]) -> Read:
    if isinstance(said, int) or said.strip().lstrip("-").isdigit():
        return _numbered(int(said), actions)
    found = [action for action in actions if _plain(action) == _plain(said).strip()]
    return Read(found[0]) if found else Read(None, f"There is no action {said[:40]!r}.")


def _numbered(number: int, actions: Sequence[str]) -> Read:
    if str(number) in actions:
        return Read(str(number))
    if 0 <= number < len(actions):
        return Read(actions[number])
    return Read(None, f"There is no action number {number}: they go from 0 to {len(actions) - 1}.")


def _plain(text: str) -> str:
    return re.sub(r"[_\s-]+", " ", text.casefold())
