"""The fewest turns and steps to a place, among walls: A* over the very motion of an agent."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

Place = tuple[float, float]


@dataclass(frozen=True)
class Motion:
    """step: metres forward; turn: radians to the left; repeat: how often an action is done; free: where one can be.

    Facing the angle a, forward is (cos a, -sin a) in x and z.
    """

    step: float
    turn: float
    repeat: int
    free: Callable[[float, float], bool]


@dataclass(frozen=True)
class _State:
    at: Place
    turns: int  # to the left since the start


def shortest(
    start: Place, facing: float, goal: Place, near: float, motion: Motion, edge: float, most: int = 200_000
) -> list[str] | None:
    """`left`, `right` and `forward` until nearer to the goal than `near`; None where no route is found.

    Places within one square of `edge` metres and one direction count as one, so a plan may be an action or two above
    the shortest, and it is exact in what it does: each place is reached by the motion itself.
    """
    if math.dist(start, goal) < near:
        return ["left"]  # whatever is done, it has arrived
    around = max(1, round(2 * math.pi / (motion.turn * motion.repeat)))
    tie, first = count(), _State(start, 0)
    came: dict[tuple[int, int, int], tuple[_State, str] | None] = {_key(first, edge, around): None}
    cost = {_key(first, edge, around): 0}
    queue = [(_least(start, goal, near, motion), next(tie), 0, first)]
    while queue and len(came) <= most:
        _, _, so_far, state = heapq.heappop(queue)
        key = _key(state, edge, around)
        if so_far > cost[key]:
            continue
        for action, then, there in _moves(state, facing, goal, near, motion):
            if there:
                return [*_back(came, key, edge, around), action]
            to = _key(then, edge, around)
            if so_far + 1 < cost.get(to, math.inf):
                cost[to], came[to] = so_far + 1, (state, action)
                heapq.heappush(queue, (so_far + 1 + _least(then.at, goal, near, motion), next(tie), so_far + 1, then))
    return None


def _moves(
    state: _State, facing: float, goal: Place, near: float, motion: Motion
) -> Iterator[tuple[str, _State, bool]]:
    """(action, the state after it, whether it arrives)."""
    yield "left", _State(state.at, state.turns + 1), False
    yield "right", _State(state.at, state.turns - 1), False
    angle = facing + state.turns * motion.turn * motion.repeat
    (x, z), moved = state.at, False
    for _ in range(motion.repeat):
        to = (x + math.cos(angle) * motion.step, z - math.sin(angle) * motion.step)
        if not motion.free(*to):
            break
        (x, z), moved = to, True
        if math.dist(to, goal) < near:
            yield "forward", _State(to, state.turns), True
            return
    if moved:
        yield "forward", _State((x, z), state.turns), False


def _least(at: Place, goal: Place, near: float, motion: Motion) -> float:
    """Actions that the way takes at least: straight and without turning."""
    return max(0.0, math.dist(at, goal) - near) / (motion.step * motion.repeat)


def _key(state: _State, edge: float, around: int) -> tuple[int, int, int]:
    return math.floor(state.at[0] / edge), math.floor(state.at[1] / edge), state.turns % around


def _back(
    came: dict[tuple[int, int, int], tuple[_State, str] | None], key: tuple[int, int, int], edge: float, around: int
) -> list[str]:
    found: list[str] = []
    while (step := came[key]) is not None:
        state, action = step
        found.append(action)
        key = _key(state, edge, around)
    return found[::-1]
