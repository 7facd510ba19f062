"""Furnishing: what a room of a given difficulty holds, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass

from resources.rooms.draw import Draw
from resources.rooms.furniture import COLOURS, KINDS, SMALL, size_of
from resources.rooms.scene import Scene, Thing

APART = 0.3  # metres between two things; VSI-Bench's direction questions need as much


@dataclass(frozen=True)
class Level:
    """What makes a room harder. side: metres of a wall, from .. to.

    singles: things with a name of their own. groups: sets of 2 or more things of one name. lookalikes: more single
    things, of a kind that is there already in another colour. screens: walls that hide. stops: where the camera
    looks around.
    """

    side: tuple[float, float]
    singles: int
    groups: int
    lookalikes: int
    screens: int
    stops: int


LEVELS = {
    1: Level((4.0, 5.0), 5, 1, 0, 0, 2),
    2: Level((4.5, 6.0), 6, 1, 1, 0, 2),
    3: Level((5.0, 7.0), 7, 2, 2, 1, 3),
    4: Level((6.0, 8.0), 8, 2, 3, 2, 4),
    5: Level((7.0, 9.0), 9, 2, 5, 3, 5),
}


class Crowded(Exception):
    """No place is left: begin anew."""


def furnish(name: str, difficulty: int, seed: str) -> Scene:
    """A room of that difficulty (a key of LEVELS), the same for equal seeds."""
    draw, level = Draw(seed), LEVELS[difficulty]
    while True:
        try:
            return _furnish(name, difficulty, level, draw)
        except Crowded:
            continue


def _furnish(name: str, difficulty: int, level: Level, draw: Draw) -> Scene:
    width, depth = (round(draw.between(*level.side), 1) for _ in range(2))
    placed: list[Thing] = []
    screens = [_place("", "screen", (round(draw.between(1.2, 1.8), 2), 0.08, 1.9), width, depth, placed, draw)
               for _ in range(level.screens)]  # fmt: skip
    for label, kind, size in _wanted(level, draw):
        _place(label, kind, size, width, depth, placed, draw)
    things = tuple(thing for thing in placed if thing.kind != "screen")
    return Scene(name, difficulty, width, depth, things, tuple(screens))


def _wanted(level: Level, draw: Draw) -> list[tuple[str, str, tuple[float, float, float]]]:
    """Name, kind and size of each thing; the things of a group are alike."""
    found: list[tuple[str, str, tuple[float, float, float]]] = []
    groups = draw.shuffled(SMALL)[: level.groups]
    free = draw.shuffled([kind for kind in KINDS if kind not in groups])
    singles = [free[i % len(free)] for i in range(level.singles)]
    kinds = [*singles, *(draw.one([*groups, *singles]) for _ in range(level.lookalikes))]
    colours = {kind: draw.shuffled(list(COLOURS)) for kind in KINDS}
    for kind in groups:
        size, label = size_of(kind, draw), f"{colours[kind].pop()} {kind}"
        found += [(label, kind, size)] * (2 + draw.below(3))
    found += [(f"{colours[kind].pop()} {kind}", kind, size_of(kind, draw)) for kind in kinds]
    return sorted(found, key=lambda one: -one[2][0] * one[2][1])  # the large ones while there is room


def _place(
    label: str, kind: str, size: tuple[float, float, float], width: float, depth: float, placed: list[Thing], draw: Draw
) -> Thing:
    """Somewhere in the room, APART from all that is there and from the walls. Raises Crowded."""
    for _ in range(200):
        thing = Thing(label, kind, round(draw.between(0, width), 2), round(draw.between(0, depth), 2),
                      90 * draw.below(4) + draw.below(31) - 15, size)  # fmt: skip
        inside = all(0.1 <= x <= width - 0.1 and 0.1 <= y <= depth - 0.1 for x, y in thing.corners)
        reach = math.hypot(*size[:2]) / 2
        near = (o for o in placed if math.dist(thing.centre, o.centre) < reach + math.hypot(*o.size[:2]) / 2 + APART)
        if inside and all(thing.footprint.distance(other.footprint) > APART for other in near):
            placed.append(thing)
            return thing
    raise Crowded
