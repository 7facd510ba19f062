"""The contract between an item that is played and what plays it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from resources.models.base import Media, Message, Part, Response


class EpisodeFailed(RuntimeError):
    """The episode's own world broke (a simulator that hangs, a video that ends early): no fault of the model."""


class Unanswered(RuntimeError):
    """The model gave no answer to a turn, and asking again would not help: `response.error` says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.error.message if response.error else "no answer")
        self.response = response


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of an episode: all that the model sees at this point.

    messages, media: as in `Instance`; which of the earlier turns stand in it is the player's policy.
    seen:     what is kept of it for a reader beside the request, JSON-able (the time in a stream, the mission).
    scripted: what a baseline would answer: `scripted("oracle")`, `scripted("random")`; None where there is none.
    gen_kwargs: generation parameters that differ from the task's for this turn.
    """

    messages: tuple[Message, ...]
    media: tuple[Media, ...] = ()
    seen: Mapping[str, Any] = field(default_factory=dict)
    scripted: Callable[[str], str | None] | None = None
    gen_kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an episode ended.

    score:   the primary score, usually in [0, 1]; None: unscored, for the reason in `unscored`.
    values:  further numbers by name (`reward`, `spl`, `latency`); None where one is undefined for this episode.
    failure: why it did not succeed, in a word: `perception`, `invalid_action`, `loop`, `budget` ...; "": it did.
    details: whatever a reader may want, JSON-able.
    """

    score: float | None
    values: Mapping[str, float | None] = field(default_factory=dict)
    failure: str = ""
    unscored: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class Episode(Protocol):
    """What a player is handed: one item, one sample of it, and the model.

    doc:          the item's fields. target: its label.
    instructions: the item's prompt as the task renders it, without media.
    sample:       0..K-1; seed: the same for every checkpoint, another one for each sample.
    """

    doc: Mapping[str, Any]
    target: Any
    instructions: tuple[Message, ...]
    sample: int
    seed: int
    max_steps: int
    steps: int  # turns that were asked so far
    exhausted: bool  # whether another turn would be over the budget of steps or tokens

    async def ask(self, turn: Turn) -> Response:
        """The model's answer, from the store where this very turn was asked before. Raises Unanswered."""
        ...

    def acted(self, action: str | None, *, reward: float | None = None, **info: Any) -> None:
        """What came of the latest turn: the action that was read from its answer (None: it was none)."""
        ...

    def open(self, number: int) -> BinaryIO:
        """The item's medium of that number, to seek and read in place."""
        ...


class Player(ABC):
    """Plays items of one task: made once a cell, and asked for many episodes at a time.

    It must be deterministic: the same item, sample and answers make the same turns. That is what a killed
    run goes on by: the episode is played again, and every turn that was answered is answered from the store.

    packages: distributions whose versions decide what happens; they are part of every request's key.
    shows_pictures: whether its turns hold pictures, so that a model that takes text only is refused before any cost.
    version:  raised by hand when the code of the player makes other turns or outcomes of the same answers.
    """

    packages: tuple[str, ...] = ()
    shows_pictures: bool = False
    version: int = 1

    def __init__(self, params: Mapping[str, Any]) -> None:
        """Raises ValueError for params that the player does not have or cannot use."""
        self.params = params

    @classmethod
    def contents(cls, params: Mapping[str, Any]) -> list[str]:
        """Of what params only name (a folder of weights), what is in it: part of every request's key.

        Asked for each item, so it looks and does not load. Raises ModelUnusable where what is named is not there.
        """
        return []

    @abstractmethod
    async def play(self, episode: Episode) -> Outcome:
        """One episode from its start to its end. Raises EpisodeFailed; Unanswered may pass through."""

    async def close(self) -> None:  # noqa: B027 - most players hold nothing
        """Give back what was held for all episodes (processes, decoded videos)."""


def opened(instructions: tuple[Message, ...], *parts: Part) -> tuple[Message, ...]:
    """The instructions with these parts at the end of their last user turn: two user turns in a row are one to many
    chat templates' mind, and an error to others.
    """
    if instructions and instructions[-1].role == "user":
        last = instructions[-1]
        return (*instructions[:-1], Message("user", (*last.parts, *parts)))
    return (*instructions, Message("user", parts))
