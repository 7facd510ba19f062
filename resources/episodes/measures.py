"""What an episode of actions came to: success, its efficiency, and why it failed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

LOOPED = 4  # times that the same action in the same state makes a loop


def spl(success: bool, shortest: int | None, taken: int) -> float | None:
    """Success weighted by path length, of one episode: S · l / max(p, l), whose mean over episodes is the metric.

    l: the length of the shortest path; p: of the path taken. Both are counted in actions here, so that turning and
    opening doors have their price too. None where the shortest path is unknown.

    Anderson et al., On Evaluation of Embodied Navigation Agents, 2018, arXiv:1807.06757, section 4.
    """
    if shortest is None:
        return None
    return float(success) * shortest / max(taken, shortest, 1)


@dataclass
class Trace:
    """What happened, counted. states: of the world, with the action that was done there."""

    actions: int = 0
    without_effect: int = 0
    invalid: int = 0
    reward: float = 0.0
    states: Counter[tuple[str, str]] = field(default_factory=Counter)

    def acted(self, state: str, action: str, then: str, reward: float) -> None:
        self.actions += 1
        self.without_effect += state == then
        self.reward += reward
        self.states[state, action] += 1

    def failure(self, *, gave_up: bool, ended: bool) -> str:
        """Why it did not succeed, the first of these that holds.

        `invalid_action`: given up after answers without an action, or more of these than actions.
        `wrong_end`:      the world ended it, and not for running out of time (lava, the wrong thing picked up).
        `perception`:     half of the actions or more changed nothing: walls walked against, nothing there to pick up.
        `loop`:           the same action in the same state, LOOPED times or more.
        `budget`:         it ran out of steps, tokens or time.
        """
        if gave_up or self.invalid > self.actions:
            return "invalid_action"
        if ended:
            return "wrong_end"
        if 2 * self.without_effect >= self.actions > 0:
            return "perception"
        if max(self.states.values(), default=0) >= LOOPED:
            return "loop"
        return "budget"
