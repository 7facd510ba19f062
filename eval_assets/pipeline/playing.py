"""One episode under way: its turns as requests with keys, its steps as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from eval_assets.pipeline.questions import Question, without_media
from eval_assets.versions import input_hash, request_key
from resources.episodes import Turn, Unanswered
from resources.models import Instance, Media, ModelUnusable, Response, ResponseError
from resources.store.media import media_hash
from resources.store.outputs import Asked

if TYPE_CHECKING:
    from eval_assets.pipeline.episodes import Episodes

_SUMMED = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


class Interrupted(RuntimeError):
    """A request failed in a way that may pass: the episode goes on in another run."""


class Played:
    """The `Episode` that a player is handed.

    known: answers to turns of this episode by step and request, of earlier runs and of this one.
    """

    def __init__(
        self, episodes: Episodes, question: Question, asked: Asked, known: dict[tuple[int, str], Response]
    ) -> None:
        self._episodes, self._question, self._asked, self._known = episodes, question, asked, known
        self.doc: Mapping[str, Any] = question.item.doc
        self.target = question.item.target
        self.instructions = without_media(question).messages
        self.sample = asked.sample
        self.seed = int(input_hash([asked.item_id, asked.sample], ())[:8], 16)
        self.max_steps, self._max_tokens = episodes.spec.max_steps, episodes.spec.max_tokens
        self.steps = 0
        self._given: list[Response] = []
        self._latest: tuple[Turn, tuple[Media, ...], Asked] | None = None
        self._noted: list[dict[str, Any]] = []

    @property
    def exhausted(self) -> bool:
        return self.steps >= self.max_steps or (
            self._max_tokens is not None and self._sum("completion_tokens") >= self._max_tokens
        )

    def open(self, number: int) -> BinaryIO:
        return self._episodes.media.open(self._question.item.media[number].sha or "")

    async def ask(self, turn: Turn) -> Response:
        if self.exhausted:
            raise RuntimeError(f"a player asked beyond its budget, at step {self.steps} of {self.max_steps}")
        await self.note()
        self.steps += 1
        media = tuple(m if m.sha else replace(m, sha=media_hash(m.data)) for m in turn.media)
        seen: list[Any] = [[m.role, m.parts] for m in turn.messages]
        if turn.gen_kwargs:
            seen.append(["gen", dict(turn.gen_kwargs)])
        cell = self._episodes.cell
        key = request_key(cell.settings, input_hash(seen, [m.sha for m in media]), self.sample)
        asked = replace(self._asked, request_key=key, step=self.steps)
        self._latest = (turn, media, asked)
        response = self._known.get((self.steps, key))
        if response is None:
            response = await self._answer(turn, media, asked)
            self._known[self.steps, key] = response
        else:
            self._episodes.done.reused += 1
        self._given.append(response)
        if response.error is not None:
            raise Unanswered(response)
        return response

    async def _answer(self, turn: Turn, media: tuple[Media, ...], asked: Asked) -> Response:
        cell = self._episodes.cell
        if cell.checkpoint.model == "baseline":
            policy = cell.checkpoint.source
            text = turn.scripted(policy) if turn.scripted else None
            if text is None:
                raise ModelUnusable(f"the player of task {cell.task.task} has no baseline {policy!r}")
            return await self._episodes.keep(asked, Response(asked.request_key, text))
        gen = {**cell.gen_kwargs, **turn.gen_kwargs}
        if "seed" in gen:
            gen["seed"] += self.sample  # one seed for all samples would give one answer K times
        instance = Instance(
            messages=turn.messages, media_list=media, gen_kwargs=gen, item_id=asked.item_id, sample=asked.sample,
            id=f"{asked.item_id}\x1f{asked.sample}\x1f{asked.step}",
        )  # fmt: skip
        return await self._episodes.request(instance, asked)

    def acted(self, action: str | None, *, reward: float | None = None, **info: Any) -> None:
        if self._latest is None:
            raise RuntimeError("a player noted an action before it asked for one")
        turn, media, asked = self._latest
        episode = self._asked.request_key
        if self._episodes.is_new(asked, episode):
            messages = json.dumps([[m.role, m.parts] for m in turn.messages], ensure_ascii=False)
            self._noted.append(
                {
                    "item_id": asked.item_id, "sample": asked.sample, "episode": episode, "step": asked.step,
                    "request_key": asked.request_key, "messages": messages, "media": media,
                    "seen": json.dumps(dict(turn.seen), ensure_ascii=False), "action": action,
                    "reward": reward, "info": json.dumps(info, ensure_ascii=False),
                }
            )  # fmt: skip

    async def note(self) -> None:
        """Hand over what was noted since the last time."""
        noted, self._noted = self._noted, []
        for row in noted:
            await self._episodes.notes.add(row)

    def response(self, text: str, error: ResponseError | None = None) -> Response:
        """The outcome as the row that judges read, with what all its turns cost where that is known of all."""
        known = [name for name in _SUMMED if self._given and all(name in r.usage for r in self._given)]
        return Response(
            self._asked.request_key,
            text,
            "error" if error else "stop",
            usage={name: self._sum(name) for name in known},
            timings={"total": sum(r.timings.get("total", 0.0) for r in self._given)},
            error=error,
        )

    def _sum(self, count: str) -> int:
        return sum(r.usage.get(count, 0) for r in self._given)
