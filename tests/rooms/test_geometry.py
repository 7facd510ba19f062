"""Distances and directions against brute force; furniture and layouts that keep their promises."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("shapely", reason="shapely is not installed: pip install 'eval-assets[spatial]'")

from resources.rooms.furniture import KINDS, parts_of
from resources.rooms.layout import APART, LEVELS, furnish
from resources.rooms.scene import Scene, Thing, bearing, gap
from resources.rooms.write import make_scene

metres = st.floats(-5, 5)
things = st.builds(
    Thing, st.just("red crate"), st.just("crate"), metres, metres, st.integers(-180, 180),
    st.tuples(*[st.floats(0.1, 2)] * 3),
)  # fmt: skip
points = st.tuples(metres, metres)


def border(thing: Thing, each: int = 60) -> np.ndarray:
    """(4 * each, 2) points around the footprint, in its own way: edges walked from corner to corner."""
    share = np.linspace(0, 1, each, endpoint=False)[:, None]
    corners = np.array(thing.corners)
    return np.concatenate([a + share * (b - a) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)])


def holds(thing: Thing, at: np.ndarray) -> np.ndarray:
    """Whether the footprint holds points (n, 2): in its own axes, without polygons."""
    angle = math.radians(thing.yaw)
    dx, dy = (at - np.array(thing.centre)).T
    along, across = dx * math.cos(angle) + dy * math.sin(angle), dy * math.cos(angle) - dx * math.sin(angle)
    return (abs(along) <= thing.size[0] / 2) & (abs(across) <= thing.size[1] / 2)


@given(things, things)
def test_the_gap_between_two_boxes_is_that_of_their_closest_points(a, b):
    around_a, around_b = border(a), border(b)
    brute = np.linalg.norm(around_a[:, None] - around_b[None], axis=2).min()
    spacing = max(*a.size[:2], *b.size[:2]) / 60
    if holds(a, around_b).any() or holds(b, around_a).any():
        assert gap([a], [b]) == 0
    else:
        assert gap([a], [b]) <= brute + 1e-9
        assert gap([a], [b]) == pytest.approx(brute, abs=spacing * math.sqrt(2))
    assert gap([a], [b]) == gap([b], [a])


@given(things, things, things)
def test_of_several_the_closest_counts(a, b, c):
    assert gap([a], [b, c]) == min(gap([a], [b]), gap([a], [c]))


@given(points, st.floats(-180, 180), st.floats(-179, 179), st.floats(0.1, 5), st.floats(0.1, 5))
def test_a_bearing_is_the_angle_that_one_turns_by(here, heading, turn, far, near):
    def at(angle: float, away: float) -> tuple[float, float]:
        return here[0] + away * math.cos(math.radians(angle)), here[1] + away * math.sin(math.radians(angle))

    assert bearing(here, at(heading, far), at(heading + turn, near)) == pytest.approx(turn, abs=1e-6)


def test_left_is_positive():
    assert bearing((0, 0), (0, 1), (-1, 0)) == pytest.approx(90)  # facing north, west is to the left
    assert bearing((0, 0), (0, 1), (1, 0)) == pytest.approx(-90)


@pytest.mark.parametrize("kind", [*KINDS, "screen"])
def test_a_kind_fills_its_box_and_nothing_sticks_out(kind):
    """So that distances between boxes are those between the things as they are seen."""
    parts = parts_of(kind)
    for axis, (low, high) in enumerate(((-0.5, 0.5), (-0.5, 0.5), (0, 1))):
        assert min(p.centre[axis] - p.half[axis] for p in parts) == pytest.approx(low)
        assert max(p.centre[axis] + p.half[axis] for p in parts) == pytest.approx(high)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(LEVELS)), st.integers(0, 10**6))
def test_nothing_touches_and_all_is_inside(level, seed):
    scene = furnish("room", level, str(seed))
    wanted = LEVELS[level]
    assert len(scene.screens) == wanted.screens
    assert sum(count == 1 for count in scene.counts.values()) == wanted.singles + wanted.lookalikes
    assert sum(count > 1 for count in scene.counts.values()) == wanted.groups
    standing = [*scene.things, *scene.screens]
    assert all(gap([a], [b]) >= APART for a, b in combinations(standing, 2))
    for thing, (x, y) in product(standing, ("xy",)):
        assert all(0 <= cx <= scene.width and 0 <= cy <= scene.depth for cx, cy in thing.corners), (thing, x, y)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(sorted(LEVELS)), st.integers(0, 10**6))
def test_the_camera_walks_through_nothing_and_turns_all_the_way(level, seed):
    from shapely import Point

    scene = make_scene("room", level, 4, str(seed))
    for x, y, _ in scene.walk:
        assert 0 < x < scene.width
        assert 0 < y < scene.depth
        assert all(thing.footprint.distance(Point(x, y)) >= 0.29 for thing in (*scene.things, *scene.screens))
    turned = sum(abs((b[2] - a[2] + 180) % 360 - 180) for a, b in zip(scene.walk, scene.walk[1:], strict=False))
    assert turned >= 360 * LEVELS[level].stops - 1
    steps = [math.dist(a[:2], b[:2]) for a, b in zip(scene.walk, scene.walk[1:], strict=False)]
    assert max(steps) <= 1 / 4 + 1e-3, "a metre a second"


def test_equal_seeds_make_equal_scenes_and_others_do_not():
    assert make_scene("a", 2, 4, "7") == make_scene("a", 2, 4, "7")
    assert make_scene("a", 2, 4, "7") != make_scene("a", 2, 4, "8")


def test_a_scene_comes_back_from_json():
    import json

    scene = make_scene("a", 3, 4, "7")
    assert Scene.from_json(json.loads(json.dumps(scene.to_json()))) == scene
