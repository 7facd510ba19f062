"""`guess`: find a number by asking; the smallest episode there is, to try a set-up with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Any

from resources.episodes.base import Episode, Outcome, Player, Turn, opened
from resources.models.base import Message

_NUMBER = re.compile(r"-?\d+")


class GuessPlayer(Player):
    """params: low, high (of the numbers there are). The number follows from the item's `seed` and the sample."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        if unknown := set(params) - {"low", "high"}:
            raise ValueError(f"no parameter {sorted(unknown)[0]!r}: it takes low and high")
        self._low, self._high = int(params.get("low", 1)), int(params.get("high", 15))
        if self._low > self._high:
            raise ValueError(f"low ({self._low}) is above high ({self._high})")

    async def play(self, episode: Episode) -> Outcome:
        secret = Random(episode.seed).randint(self._low, self._high)  # noqa: S311 - a game
        low, high, said = self._low, self._high, f"The number lies between {self._low} and {self._high}."
        messages = list(opened(episode.instructions, ("text", f"\n{said}")))
        invalid = 0
        while not episode.exhausted:
            if episode.steps:
                messages.append(Message("user", (("text", said),)))
            middle = str((low + high) // 2)
            anything = str(Random(f"{episode.seed} {episode.steps}").randint(self._low, self._high))  # noqa: S311
            scripted = {"oracle": middle, "random": anything}.get
            answer = await episode.ask(Turn(tuple(messages), seen={"low": low, "high": high}, scripted=scripted))
            messages.append(Message("assistant", (("text", answer.text),)))
            found = _NUMBER.search(answer.text)
            if found is None:
                invalid += 1
                said = "That was no number. Answer with one number."
                episode.acted(None)
                continue
            guess = int(found.group())
            episode.acted(str(guess), reward=float(guess == secret))
            if guess == secret:
                return Outcome(1.0, {"guesses": episode.steps, "invalid": invalid})
            said = "Higher." if guess < secret else "Lower."
            low, high = (max(low, guess + 1), high) if guess < secret else (low, min(high, guess - 1))
        failure = "invalid_action" if invalid * 2 > episode.steps else "budget"
        return Outcome(0.0, {"guesses": episode.steps, "invalid": invalid}, failure)
