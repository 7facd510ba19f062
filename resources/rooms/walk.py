"""The camera's way through a room: it looks around at each stop and goes straight to the next."""

from __future__ import annotations

import math

from resources.rooms.draw import Draw
from resources.rooms.layout import LEVELS, Crowded
from resources.rooms.scene import Point, Scene

EYES = 1.5  # metres above the floor
PITCH = 14  # degrees that the camera looks down
SPEED, TURN = 1.0, 72.0  # metres and degrees a second
_CLEAR = 0.3  # metres that the camera keeps from things on its way
_LEG = 1.2  # metres at least from one stop to the next

Pose = tuple[float, float, float]


def walk(scene: Scene, fps: int, seed: str) -> tuple[Pose, ...]:
    """(x, y, heading) for each frame. Raises Crowded where there is no way."""
    draw = Draw(seed)
    stops = _stops(scene, draw)
    poses: list[Pose] = [(*stops[0], draw.between(0, 360))]
    for number, stop in enumerate(stops):
        if number:
            _turn(poses, math.degrees(math.atan2(stop[1] - poses[-1][1], stop[0] - poses[-1][0])), fps)
            _go(poses, stop, fps)
        _spin(poses, 360 if draw.below(2) else -360, fps)
    return tuple((round(x, 3), round(y, 3), round(angle % 360, 2)) for x, y, angle in poses)


def _stops(scene: Scene, draw: Draw) -> list[Point]:
    """Places to look around from, as far from things and walls as can be had."""
    from shapely import LineString, unary_union
    from shapely import Point as Place

    closed = unary_union([thing.footprint for thing in (*scene.things, *scene.screens)])
    wanted = LEVELS[scene.difficulty].stops
    for apart in (0.9, 0.75, 0.6, 0.45):
        for _ in range(20):
            stops: list[Point] = []
            for _ in range(40 * wanted):
                stop = draw.between(apart, scene.width - apart), draw.between(apart, scene.depth - apart)
                if Place(stop).distance(closed) < apart or (stops and math.dist(stops[-1], stop) < _LEG):
                    continue
                if not stops or LineString([stops[-1], stop]).distance(closed) >= _CLEAR:
                    stops.append(stop)
                if len(stops) == wanted:
                    return stops
    raise Crowded


def _spin(poses: list[Pose], by: float, fps: int) -> None:
    x, y, start = poses[-1]
    frames = max(1, math.ceil(abs(by) / TURN * fps))
    poses += [(x, y, start + by * (i + 1) / frames) for i in range(frames)]


def _turn(poses: list[Pose], to: float, fps: int) -> None:
    """The shorter way round."""
    by = (to - poses[-1][2] + 180) % 360 - 180
    if abs(by) > 1:
        _spin(poses, by, fps)


def _go(poses: list[Pose], to: Point, fps: int) -> None:
    x, y, heading = poses[-1]
    frames = max(1, math.ceil(math.dist((x, y), to) / SPEED * fps))
    poses += [(x + (to[0] - x) * i / frames, y + (to[1] - y) * i / frames, heading) for i in range(1, frames + 1)]
