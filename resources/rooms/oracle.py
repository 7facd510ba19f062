"""One who knows the scene graph and reads the questions: what the right answers would score.

It shares the geometry with `questions`, but neither labels nor rules: it parses the text, as a model must.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from resources.rooms.scene import Scene, bearing, gap

Answer = Callable[..., str]


def answer(scene: Scene, question: str, options: Sequence[str] | None) -> str:
    """A letter, or a number as text. Raises ValueError for a question that it cannot read."""
    for pattern, solve in _KNOWN:
        if found := re.search(pattern, question, re.DOTALL):
            said = solve(scene, *found.groups())
            if not options:
                return said
            right = [option for option in options if option.partition(". ")[2] == said]
            if len(right) != 1:
                raise ValueError(f"{said!r} is not one of {list(options)}: {question}")
            return right[0][0]
    raise ValueError(f"no question of a known type: {question}")


def _count(scene: Scene, name: str) -> str:
    return str(len(scene.named(name)))


def _size(scene: Scene, name: str) -> str:
    return str(round(100 * max(scene.named(name)[0].size)))


def _area(scene: Scene) -> str:
    return f"{scene.area:.1f}"


def _distance(scene: Scene, a: str, b: str) -> str:
    return f"{gap(scene.named(a), scene.named(b)):.1f}"


def _closest(scene: Scene, listed: str, main: str) -> str:
    return min(listed.split(", "), key=lambda name: gap(scene.named(main), scene.named(name)))


def _angle(scene: Scene, a: str, b: str, c: str) -> float:
    return bearing(*(scene.named(name)[0].centre for name in (a, b, c)))


def _easy(scene: Scene, *names: str) -> str:
    return "left" if 0 < _angle(scene, *names) < 180 else "right"


def _medium(scene: Scene, *names: str) -> str:
    angle = _angle(scene, *names)
    return "back" if not -135 < angle < 135 else "left" if angle > 0 else "right"


def _hard(scene: Scene, *names: str) -> str:
    angle = _angle(scene, *names)
    return ("front-" if -90 < angle < 90 else "back-") + ("left" if angle > 0 else "right")


def _order(scene: Scene, listed: str) -> str:
    def first(name: str) -> float:
        return min(t.first_seen for t in scene.named(name) if t.first_seen is not None)

    return ", ".join(sorted(listed.split(", "), key=first))


def _route(scene: Scene, start: str, steps: str) -> str:
    way = [start, *re.findall(r"Go forward until the ([a-z ]+?)(?= \d\.|\.)", steps)]
    turns = []
    for a, b, c in zip(way, way[1:], way[2:], strict=False):
        # Back to where it came from is half a turn: from there, c is as far to the other side as it is ahead.
        angle = (_angle(scene, b, a, c) + 180) % 360
        turns.append("Turn Back" if 150 < angle < 210 else "Turn Left" if angle < 180 else "Turn Right")
    return ", ".join(turns)


_STANDING = r"standing by the ([a-z ]+) and facing the ([a-z ]+), is the ([a-z ]+) to "
_KNOWN: tuple[tuple[str, Any], ...] = (
    (r"^How many ([a-z ]+)\(s\)", _count),
    (r"longest dimension .* of the ([a-z ]+), measured", _size),
    (r"size of this room", _area),
    (r"the distance between the ([a-z ]+) and the ([a-z ]+) \(in meters\)", _distance),
    (r"which of these objects \(([a-z ,]+)\) is the closest to the ([a-z ]+)\?", _closest),
    (_STANDING + "the left or the right", _easy),
    (_STANDING + "my left, right, or back", _medium),
    (_STANDING + "my front-left", _hard),
    (r"appearance order of the following categories in the video: ([a-z ,]+)\?", _order),
    (r"^You are a robot beginning at the ([a-z ]+) facing .*?: (1\..*)", _route),
)
