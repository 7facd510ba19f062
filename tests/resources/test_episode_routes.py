"""The plans of the oracles, on worlds small enough to see the answer."""

from __future__ import annotations

import math

from resources.episodes.worlds.minigrid_plan import Goal, Scene, plan
from resources.episodes.worlds.route import Motion, shortest

ALL = ["left", "right", "forward", "pickup", "drop", "toggle", "done"]


def scene(*rows, facing=0, things=None, doors=None):
    """`.` free, `@` the agent, `K` a yellow key, `B` a red box, `D` a locked yellow door."""
    squares = {(x, y): letter for y, row in enumerate(rows) for x, letter in enumerate(row)}
    of = {"K": ("key", "yellow"), "B": ("box", "red")}
    return Scene(
        free=frozenset(s for s, letter in squares.items() if letter in ".@G"),
        things={s: of[letter] for s, letter in squares.items() if letter in of},
        doors={s: ("yellow", "locked") for s, letter in squares.items() if letter == "D"},
        at=next(s for s, letter in squares.items() if letter == "@"),
        facing=facing,
    )


def test_straight_on_and_round_a_corner():
    assert plan(scene("@.G"), Goal("reach", frozenset({(2, 0)})), ALL) == ["forward"] * 2
    assert plan(scene("@#", "..", "#G"), Goal("reach", frozenset({(1, 2)})), ALL) == [
        "right", "forward", "left", "forward", "right", "forward",
    ]  # fmt: skip


def test_the_key_comes_before_the_door_and_is_put_down_for_the_box():
    found = plan(scene("@KD.B"), Goal("hold", frozenset({(4, 0)})), ALL)
    assert found[:3] == ["pickup", "forward", "toggle"]
    assert found.count("drop") == 1
    assert found[-1] == "pickup"


def test_without_the_actions_or_a_way_there_is_no_plan():
    assert plan(scene("@KDG"), Goal("reach", frozenset({(3, 0)})), ["left", "right", "forward"]) is None
    assert plan(scene("@#G"), Goal("reach", frozenset({(2, 0)})), ALL) is None


def test_nothing_else_is_picked_up_where_that_ends_the_episode():
    wanted = frozenset({(2, 0)})
    assert plan(scene("@KB"), Goal("hold", wanted), ALL)
    assert plan(scene("@KB"), Goal("hold", wanted, only=True), ALL) is None


def test_a_door_is_met_from_beside():
    assert plan(scene("@.D"), Goal("beside", frozenset({(2, 0)})), ALL) == ["forward", "done"]


def _motion(free=lambda x, z: True, repeat=1):
    return Motion(step=1.0, turn=math.pi / 2, repeat=repeat, free=free)


def test_a_route_turns_no_more_than_it_must():
    assert shortest((0, 0), 0.0, (5, 0), 1.5, _motion(), 0.2) == ["forward"] * 4
    assert shortest((0, 0), math.pi / 2, (3, 0), 0.5, _motion(), 0.2) == ["right", *["forward"] * 3]
    assert shortest((0, 0), 0.0, (0.5, 0), 1.0, _motion(), 0.2) == ["left"]


def test_a_route_goes_round_walls_and_through_none():
    wall = lambda x, z: not (0.5 < x < 1.5 and z < 1.5)  # noqa: E731
    inside = lambda x, z: wall(x, z) and abs(x) < 4 and abs(z) < 4  # noqa: E731
    found = shortest((0, 0), 0.0, (3, 0), 0.5, _motion(inside), 0.2)
    assert found.count("forward") == 3 + 2 * 2
    assert shortest((0, 0), 0.0, (3, 0), 0.5, _motion(lambda x, z: x < 1 and abs(x) < 4 and abs(z) < 4), 0.2) is None
