"""What an agent wants to do on a page, read from its answer, and the words for it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

KEYS = (
    "Enter", "Tab", "Escape", "Backspace", "Delete", "Space", "Home", "End",
    "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "PageUp", "PageDown",
)  # fmt: skip

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_ACTION = re.compile(
    rf"\bclick[ \t]*\(?[ \t]*{_NUMBER}[ \t]*[, \t][ \t]*{_NUMBER}"
    r'|\btype[ \t]*\(?[ \t]*("(?:[^"\\\n]|\\.)*")'
    r"|\bpress[ \t]*\(?[ \t]*[\"']?([A-Za-z]+)"
    r"|\bscroll[ \t]*\(?[ \t]*[\"']?(up|down)\b",
    re.I,
)


class NoAction(ValueError):
    """The answer holds no action that can be done; the message tells the agent why."""


@dataclass(frozen=True, slots=True)
class Click:
    """Pixels of the picture, from its upper left corner."""

    x: float
    y: float

    def __str__(self) -> str:
        return f"click {self.x:g} {self.y:g}"


@dataclass(frozen=True, slots=True)
class Type:
    text: str

    def __str__(self) -> str:
        return f"type {json.dumps(self.text, ensure_ascii=False)}"


@dataclass(frozen=True, slots=True)
class Press:
    key: str

    def __str__(self) -> str:
        return f"press {self.key}"


@dataclass(frozen=True, slots=True)
class Scroll:
    """down: or up, by half a page."""

    down: bool

    def __str__(self) -> str:
        return f"scroll {'down' if self.down else 'up'}"


Action = Click | Type | Press | Scroll


def read_action(text: str, width: int, height: int) -> Action:
    """The last action of an answer, since reasons come first: `click 80 120`, `type "words"`, `press Enter`,
    `scroll down`; brackets and a comma do no harm.

    width, height: pixels of the picture. Raises NoAction: there is none, no such key, a click beside the picture.
    """
    found = None
    for found in _ACTION.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    if found is None:
        raise NoAction("there is no action in it")
    x, y, words, key, way = found.groups()
    if words is not None:
        return Type(_unquoted(words))
    if key is not None:
        return Press(_key(key))
    if way is not None:
        return Scroll(way.lower() == "down")
    click = Click(float(x), float(y))
    if not (0 <= click.x < width and 0 <= click.y < height):
        raise NoAction(f"{click} is outside of the picture, which is {width} x {height}")
    return click


def _unquoted(words: str) -> str:
    try:
        text: str = json.loads(words)
    except json.JSONDecodeError:  # a backslash that means itself
        text = words[1:-1]
    return text


def _key(name: str) -> str:
    known = {key.lower(): key for key in KEYS}
    if name.lower() not in known:
        raise NoAction(f"there is no key {name!r}: there are {', '.join(KEYS)}")
    return known[name.lower()]
