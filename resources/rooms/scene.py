"""The scene graph of a room: what stands where, how large, and when the camera first saw it. Lengths in metres."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapely import Polygon

Point = tuple[float, float]


@dataclass(frozen=True)
class Thing:
    """An object that stands on the floor.

    name: colour and kind, as questions name it. x, y: of its centre. yaw: degrees, counterclockwise.
    size: width (its own x axis), depth (its own y axis), height of the box around it.
    first_seen: seconds into the video until it covers `film.SEEN` of a frame; None: it never does.
    """

    name: str
    kind: str
    x: float
    y: float
    yaw: int
    size: tuple[float, float, float]
    first_seen: float | None = None

    @property
    def centre(self) -> Point:
        return self.x, self.y

    @property
    def corners(self) -> list[Point]:
        """Of the footprint, counterclockwise."""
        cos, sin = math.cos(math.radians(self.yaw)), math.sin(math.radians(self.yaw))
        half = [(sx * self.size[0] / 2, sy * self.size[1] / 2) for sx, sy in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
        return [(self.x + a * cos - b * sin, self.y + a * sin + b * cos) for a, b in half]

    @cached_property
    def footprint(self) -> Polygon:
        from shapely import Polygon

        return Polygon(self.corners)


@dataclass(frozen=True)
class Scene:
    """A rectangular room with a corner at (0, 0).

    screens: free-standing walls, which hide things and are never asked about.
    walk: (x, y, heading in degrees counterclockwise from the x axis) of the camera, one a frame of the video.
    """

    name: str
    difficulty: int
    width: float
    depth: float
    things: tuple[Thing, ...]
    screens: tuple[Thing, ...] = ()
    fps: int = 0
    walk: tuple[tuple[float, float, float], ...] = field(default=(), repr=False)

    @property
    def area(self) -> float:
        """Of the floor, square metres."""
        return self.width * self.depth

    @property
    def path_length(self) -> float:
        """Metres that the camera goes."""
        return sum(math.dist(a[:2], b[:2]) for a, b in pairwise(self.walk))

    @cached_property
    def counts(self) -> Counter[str]:
        """name -> how many of it there are."""
        return Counter(thing.name for thing in self.things)

    def named(self, name: str) -> list[Thing]:
        """All things of that name. Raises KeyError where there is none."""
        found = [thing for thing in self.things if thing.name == name]
        if not found:
            raise KeyError(name)
        return found

    @property
    def single(self) -> list[Thing]:
        """The things that have a name of their own and are seen."""
        return [t for t in self.things if self.counts[t.name] == 1 and t.first_seen is not None]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Scene:
        things, screens = (
            tuple(Thing(**{**t, "size": tuple(t["size"])}) for t in data[key]) for key in ("things", "screens")
        )
        return cls(**{**data, "things": things, "screens": screens, "walk": tuple(map(tuple, data["walk"]))})


def gap(a: Sequence[Thing], b: Sequence[Thing]) -> float:
    """Metres between the closest points of the boxes of any of `a` and any of `b`, as VSI-Bench measures.

    All stand on the floor, so that the closest points lie at one height and the footprints decide. 0 where they meet.
    """
    return min(float(one.footprint.distance(other.footprint)) for one in a for other in b)


def bearing(here: Point, facing: Point, there: Point) -> float:
    """Degrees by which one who stands `here` and faces `facing` turns towards `there`: left is positive, to 180."""
    first = math.atan2(facing[1] - here[1], facing[0] - here[0])
    second = math.atan2(there[1] - here[1], there[0] - here[0])
    turned = math.degrees(second - first) % 360
    return turned - 360 if turned > 180 else turned
