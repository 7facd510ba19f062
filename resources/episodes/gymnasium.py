"""Environments of Gymnasium as episodes: an observation, an answer, the action in it, until the end or the budget."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from resources.episodes.actions import read_action
from resources.episodes.base import Episode, EpisodeFailed, Outcome, Player, Turn
from resources.episodes.history import History, Seen
from resources.episodes.measures import Trace, spl
from resources.episodes.worlds.process import Opening, WorldProcess, Worlds
from resources.episodes.worlds.world import View
from resources.models.base import Media
from resources.models.configured import faults


class Params(BaseModel):
    """observe:    what the model is shown: the scene's `picture`, its `text` (a map in letters), or `both`.
    history:    earlier observations that stay in the conversation, with their answers; pictures: how many observations,
                the present one included, show their picture.
    repairs:    answers in a row that hold no action and get told so; each is a step. One more of them, and
                on_invalid: `end` the episode, or `idle`: let time pass, where the environment knows how.
    actions:    names of those that are offered (default: all). repeat: how often each is done before the next question.
    make:       keyword arguments of `gymnasium.make`.
    target:     the sum of rewards that scores 1, less in proportion, for games without success.
    timeout:    seconds that a reset or a step may take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    observe: Literal["picture", "text", "both"] = "picture"
    history: int = Field(4, ge=0)
    pictures: int = Field(1, ge=0)
    repairs: int = Field(2, ge=0)
    on_invalid: Literal["end", "idle"] = "end"
    actions: tuple[str, ...] = ()
    repeat: int = Field(1, ge=1)
    make: dict[str, Any] = Field(default_factory=dict)
    target: float | None = Field(None, gt=0)
    timeout: float = Field(30.0, gt=0)

    def world_options(self) -> dict[str, Any]:
        """What the environment's own process is told."""
        return self.model_dump(
            mode="json", exclude={"observe", "history", "pictures", "repairs", "on_invalid", "target", "timeout"}
        )


class GymnasiumPlayer(Player):
    """Plays any environment of Gymnasium that has discrete actions and draws itself.

    An item has `env`, the environment's id (`module:Name-v0` imports the module first), and `seed`, which makes its
    world; samples of an item are the same world. Its process may crash or hang: see `worlds.process`.
    """

    packages = ("gymnasium",)
    world: ClassVar[str] = "gymnasium"
    Parameters: ClassVar[type[Params]] = Params

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        try:
            self._params = self.Parameters.model_validate(dict(params))
        except ValidationError as error:
            raise ValueError(faults(error, self.Parameters)) from error
        self._worlds = Worlds(self._params.timeout)

    async def play(self, episode: Episode) -> Outcome:
        env, seed = episode.doc.get("env"), episode.doc.get("seed")
        if not isinstance(env, str) or not isinstance(seed, int):
            raise EpisodeFailed("the item needs `env`, an environment's id, and `seed`, a number")
        async with self._worlds.world() as world:
            opening = await world.open(self.world, env, self._params.world_options(), seed)
            return await _Play(episode, self._params, world, opening).run()

    async def close(self) -> None:
        await self._worlds.close()


class _Play:
    """One episode under way."""

    def __init__(self, episode: Episode, params: Params, world: WorldProcess, opening: Opening) -> None:
        self._episode, self._params, self._world, self._opening = episode, params, world, opening
        self._history = History(episode.instructions, params.history, params.pictures)
        self._view, self._trace, self._done = opening.view, Trace(), ""
        self._chance = Random(f"{episode.seed}")  # noqa: S311 - a game

    async def run(self) -> Outcome:
        wrong = 0  # answers in a row that held no action
        gave_up = False
        while not self._episode.exhausted and not (self._view.terminated or self._view.truncated):
            action = await self._ask()
            if action is not None:
                wrong = 0
                await self._act(action)
                continue
            wrong += 1
            if wrong <= self._params.repairs:
                continue
            wrong = 0
            if self._params.on_invalid == "end":
                gave_up = True
                break
            if self._opening.idle is not None:
                await self._act(self._opening.idle, noted=False)
        return self._outcome(gave_up)

    async def _ask(self) -> str | None:
        """The model's action; None, and what is to be told to it, where its answer held none."""
        seen = self._seen()
        messages, media = self._history.request(seen)
        anything = self._chance.choice(self._opening.actions)
        scripted = {"random": anything, "oracle": self._planned()}.get
        turn = Turn(messages, media, seen={"text": seen.text, "state": self._view.state}, scripted=scripted)
        response = await self._episode.ask(turn)
        self._history.add(seen, response.text)
        action, problem = read_action(response.text, self._opening.actions)
        if action is None:
            self._trace.invalid += 1
            self._episode.acted(None, problem=problem)
            self._done = f"{problem} Nothing was done."
        return action

    def _planned(self) -> str | None:
        """The oracle's next action: it began by the plan and followed it, so it is where the plan says."""
        plan, at = self._opening.plan, self._trace.actions
        return plan[at] if plan and at < len(plan) else None

    async def _act(self, action: str, *, noted: bool = True) -> None:
        before = self._view
        self._view = await self._world.step(action)
        self._trace.acted(before.state, action, self._view.state, self._view.reward)
        changed = self._view.state != before.state
        if noted:
            self._episode.acted(action, reward=self._view.reward, changed=changed)
        self._done = f"You did: {action}." + ("" if changed else " Nothing changed.")

    def _seen(self) -> Seen:
        p, view, step = self._params, self._view, self._episode.steps + 1
        words = [f"Step {step} of at most {self._episode.max_steps}. {self._done}".strip(), view.text]
        words += [view.map] if p.observe != "picture" else []
        words.append(f"Answer with one of these actions: {', '.join(self._opening.actions)}.")
        picture = Media(view.picture, "image/png") if p.observe != "text" else None
        return Seen("\n".join(filter(None, words)), picture)

    def _outcome(self, gave_up: bool) -> Outcome:
        view, trace, target = self._view, self._trace, self._params.target
        plan = self._opening.plan
        shortest = len(plan) if plan is not None else None
        success = bool(view.success)
        score = float(success) if target is None else min(1.0, max(0.0, trace.reward / target))
        values = {
            "spl": spl(success, shortest, trace.actions), "steps": float(trace.actions),
            "invalid": float(trace.invalid), "reward": trace.reward,
        }  # fmt: skip
        reached = success if target is None else score >= 1.0
        failure = "" if reached else trace.failure(gave_up=gave_up, ended=_ended_badly(view, target))
        return Outcome(score, values, failure, details={"shortest": shortest, "unchanged": trace.without_effect})


def _ended_badly(view: View, target: float | None) -> bool:
    return target is None and view.terminated
