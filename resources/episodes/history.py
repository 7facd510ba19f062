"""Which of the earlier turns stand in a request."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from resources.episodes.base import opened
from resources.models.base import Media, Message, Part


class Seen(NamedTuple):
    """What was shown at one step: words and, where pictures are shown, one."""

    text: str
    picture: Media | None


class History:
    """A conversation of which the instructions and the latest turns stay.

    turns:    earlier observations with their answers that stay in the conversation.
    pictures: of the observations in it, the present one included, how many show their picture, the latest first.
    """

    def __init__(self, instructions: tuple[Message, ...], turns: int, pictures: int) -> None:
        self._instructions, self._pictures = instructions, pictures
        self._past: deque[tuple[Seen, str]] = deque(maxlen=turns)

    def add(self, seen: Seen, answer: str) -> None:
        self._past.append((seen, answer))

    def request(self, seen: Seen) -> tuple[tuple[Message, ...], tuple[Media, ...]]:
        """The conversation that ends with this observation, and its media, the present picture last."""
        shown = [*(past for past, _ in self._past), seen]
        first = len(shown) - self._pictures
        media: list[Media] = []
        messages: tuple[Message, ...] = ()
        for number, one in enumerate(shown):
            parts: list[Part] = [("text", one.text)]
            if one.picture is not None and number >= first:
                parts.insert(0, ("media", len(media)))
                media.append(one.picture)
            messages += opened(self._instructions, ("text", "\n\n"), *parts) if number == 0 else (
                Message("user", tuple(parts)),
            )  # fmt: skip
            if number < len(self._past):
                messages += (Message("assistant", (("text", self._past[number][1]),)),)
        return messages, tuple(media)
