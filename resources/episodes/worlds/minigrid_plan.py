"""The fewest actions that solve a MiniGrid level: a breadth-first search over all that an agent can change."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Square = tuple[int, int]
Thing = tuple[str, str]  # kind, colour
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # east, south, west, north, as MiniGrid numbers them


@dataclass(frozen=True)
class Scene:
    """A level before the first action. free: squares that can be entered; doors: colour and open, closed or locked."""

    free: frozenset[Square]
    things: Mapping[Square, Thing]
    doors: Mapping[Square, tuple[str, str]]
    at: Square
    facing: int


@dataclass(frozen=True)
class Goal:
    """`reach` one of the squares, `hold` a thing that lay on one of them, or say `done` `beside` one of them.

    only: to pick up anything else ends the episode.
    """

    kind: Literal["reach", "hold", "beside"]
    squares: frozenset[Square]
    only: bool = False


class _State(NamedTuple):
    at: Square
    facing: int
    held: int  # number of a thing; -1: none
    lie: tuple[Square | None, ...]  # where each thing lies; None: it is held
    open: frozenset[Square]
    unlocked: frozenset[Square]


def plan(scene: Scene, goal: Goal, actions: Sequence[str], most: int = 2_000_000) -> list[str] | None:
    """The shortest of the plans that use these actions; None where there is none, or where it is further than `most`
    states away. Toggling a box, which breaks it, and entering lava are never part of it.
    """
    things = sorted(scene.things)
    wanted = {number for number, square in enumerate(things) if square in goal.squares}
    opened = frozenset(s for s, (_, state) in scene.doors.items() if state == "open")
    locked = frozenset(s for s, (_, state) in scene.doors.items() if state == "locked")
    start = _State(scene.at, scene.facing, -1, tuple(things), opened, frozenset(scene.doors) - locked)
    came: dict[_State, tuple[_State, str] | None] = {start: None}
    queue = deque([start])
    while queue and len(came) <= most:
        state = queue.popleft()
        for action, then, solved in _moves(scene, goal, wanted, things, state):
            if action not in actions:
                continue
            if solved:
                return [*_back(came, state), action]
            if then not in came:
                came[then] = (state, action)
                queue.append(then)
    return None


def _back(came: Mapping[_State, tuple[_State, str] | None], state: _State) -> list[str]:
    found: list[str] = []
    while (step := came[state]) is not None:
        state, action = step
        found.append(action)
    return found[::-1]


def _moves(
    scene: Scene, goal: Goal, wanted: set[int], things: list[Square], state: _State
) -> Iterator[tuple[str, _State, bool]]:
    """(action, the state after it, whether it solves the level)."""
    yield "left", state._replace(facing=(state.facing - 1) % 4), False
    yield "right", state._replace(facing=(state.facing + 1) % 4), False
    dx, dy = _STEPS[state.facing]
    front = (state.at[0] + dx, state.at[1] + dy)
    lying = state.lie.index(front) if front in state.lie else -1
    door = scene.doors.get(front)
    empty = lying < 0 and door is None and (front in scene.free or front in things)
    if empty or (door and front in state.open):
        yield "forward", state._replace(at=front), goal.kind == "reach" and front in goal.squares
    if lying >= 0 and state.held < 0:
        solved = goal.kind == "hold" and lying in wanted
        if solved or not goal.only:
            lie = (*state.lie[:lying], None, *state.lie[lying + 1 :])
            yield "pickup", state._replace(held=lying, lie=lie), solved
    if empty and state.held >= 0 and not (goal.kind == "reach" and front in goal.squares):
        lie = (*state.lie[: state.held], front, *state.lie[state.held + 1 :])
        yield "drop", state._replace(held=-1, lie=lie), False
    if door:
        key = state.held >= 0 and scene.things[things[state.held]] == ("key", door[0])
        if front in state.unlocked or key:
            then = state._replace(open=state.open ^ {front}, unlocked=state.unlocked | {front})
            yield "toggle", then, False
    if goal.kind == "beside":
        x, y = state.at
        yield "done", state, any(abs(x - i) + abs(y - j) == 1 for i, j in goal.squares)
