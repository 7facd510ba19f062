"""Media of the questions that are about to be asked: each read, prepared and encoded once, and let go."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from eval_assets.pipeline.questions import Question
from resources.fitting import Groups, fitted
from resources.frame_cache import FrameCache
from resources.media import MediaPolicy
from resources.models import Media, Message, ResponseError
from resources.models.pictures import BadPicture
from resources.store.media import MediaTable
from resources.store.outputs import Asked
from resources.video import BadVideo

Entry = tuple[Question, Asked]
Sent = tuple[Media, ...] | ResponseError  # what is sent for one stored medium, or why nothing can be
Part = tuple[tuple[str, float], ...]  # of a video, where a question is about a part of it
Key = tuple[str, Part]  # a stored medium, by its hash, as a question shows it
# Media that are prepared at the same time, ahead of the questions on them.
_WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Given:
    """A question as it is sent. refused: why it cannot be; then its media are incomplete.

    fitted: what was left out so that it fits, see `resources.fitting`.
    """

    messages: tuple[Message, ...]
    media: tuple[Media, ...]
    refused: ResponseError | None = None
    fitted: Mapping[str, Any] | None = None


class MediaPool:
    """Media of neighbouring questions: each read once, prepared once and encoded once."""

    def __init__(self, table: MediaTable, policy: MediaPolicy | None = None) -> None:
        self._table = table
        self._policy = policy or MediaPolicy()
        self._held: dict[Key, Sent] = {}
        self._frames = FrameCache()

    def within(self, lacking: list[Entry], limit: int) -> Iterator[list[Entry]]:
        """The questions in batches whose media together stay below `limit` bytes, media loaded."""
        for batch in self._by_stored_size(lacking, limit):
            refs = [m for asked_question, _ in batch for m in asked_question.item.media if m.sha]
            if any(self._policy.applies(m.kind) for m in refs):
                yield from self._prepared(batch, limit)
            else:
                self._load(batch)
                yield batch

    def given(self, asked_question: Question) -> Given:
        """Messages and media of a question of the latest batch; a video's place may take several pictures."""
        sent = [self._held[key] for key in _keys(asked_question)]
        refused = next((found for found in sent if isinstance(found, ResponseError)), None)
        groups = [found for found in sent if not isinstance(found, ResponseError)]
        if refused:
            return Given(asked_question.messages, (), refused)
        fit = fitted([_text(message) for message in asked_question.messages], groups, self._policy)
        if fit.too_long:
            return Given(asked_question.messages, (), ResponseError("too_long", fit.too_long, retryable=False))
        media = tuple(m for group in fit.groups for m in group)
        told = self._policy.timestamps and any(m.seconds is not None for m in media)
        if all(len(group) == 1 for group in fit.groups) and not told:
            return Given(asked_question.messages, media, fitted=fit.note)
        starts = [sum(map(len, fit.groups[:n])) for n in range(len(fit.groups))]
        messages = tuple(_spread(message, fit.groups, starts, told) for message in asked_question.messages)
        return Given(messages, media, fitted=fit.note)

    def _by_stored_size(self, lacking: list[Entry], limit: int) -> Iterator[list[Entry]]:
        batch: list[Entry] = []
        held: dict[str, int] = {}
        for entry in lacking:
            # A video that is sampled is read where its frames are, and never as a whole.
            media = [m for m in entry[0].item.media if m.sha and not self._policy.samples(m.kind)]
            sizes = {m.sha: self._table.size(m.sha) for m in media if m.sha}
            if batch and sum({**held, **sizes}.values()) > limit:
                yield batch
                batch, held = [], {}
            held.update(sizes)
            batch.append(entry)
        if batch:
            yield batch

    def _load(self, batch: list[Entry]) -> None:
        """Hold the batch's media as they are stored, in one planned read."""
        mimes = _mimes(batch)
        self._held = {key: self._held[key] for key in mimes if key in self._held}
        lacking = [key for key in mimes if key not in self._held]
        found = self._table.read([sha for sha, _ in lacking])
        self._held.update({key: (Media(found[key[0]], mimes[key], key[0]),) for key in lacking})

    def _prepared(self, batch: list[Entry], limit: int) -> Iterator[list[Entry]]:
        """The batch in parts that stay below the limit as they are sent; what follows is prepared meanwhile."""
        mimes = _mimes(batch)
        self._held = {key: self._held[key] for key in mimes if key in self._held}
        ahead = deque(key for key in mimes if key not in self._held)
        stored = self._table.read([key[0] for key in ahead if not self._samples(mimes[key])])
        running: dict[Key, Future[Sent]] = {}
        part: list[Entry] = []
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="media") as workers:

            def start(key: Key) -> Future[Sent]:
                return workers.submit(self._prepare, key, mimes[key], stored.pop(key[0], None))

            for entry in batch:
                found = {}
                for key in _mimes([entry]):
                    while ahead and len(running) < _WORKERS:
                        following = ahead.popleft()
                        running[following] = start(following)
                    known = self._held.get(key)
                    if known is None:
                        preparing = running.pop(key, None) or start(key)
                        if part and not preparing.done():  # the model need not wait for this one to begin with those
                            yield part
                            part = []
                        known = preparing.result()
                    found[key] = known
                if self._held and _bytes({**self._held, **found}) > limit:
                    if part:
                        yield part
                    part, self._held = [], {}
                self._held.update(found)
                part.append(entry)
            yield part

    def _samples(self, mime: str) -> bool:
        return self._policy.samples(mime.split("/", 1)[0])

    def _prepare(self, key: Key, mime: str, data: bytes | None) -> Sent:
        sha, part = key
        try:
            policy = self._policy.within(dict(part))
            if data is not None:
                return policy.prepare(data, mime, sha)
            with self._frames.decoding(sha):
                return policy.prepare(self._table.open(sha), mime, sha, self._frames.of(sha))
        except (BadPicture, BadVideo) as error:
            return ResponseError("bad_media", str(error), retryable=False)


def _text(message: Message) -> str:
    return "".join(str(value) for kind, value in message.parts if kind == "text")


def _keys(asked_question: Question) -> list[Key]:
    """The question's media that are there, in order."""
    part = tuple(sorted((asked_question.window or {}).items()))
    return [(m.sha, part if m.kind == "video" else ()) for m in asked_question.item.media if m.sha]


def _mimes(batch: Sequence[Entry]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for asked_question, _ in batch:
        there = [m.mime for m in asked_question.item.media if m.sha]
        found.update(zip(_keys(asked_question), there, strict=True))
    return found


def _bytes(held: dict[Key, Sent]) -> int:
    """Of all that is held; a frame that several parts of a video share counts once."""
    datas = (m.data for sent in held.values() if not isinstance(sent, ResponseError) for m in sent)
    return sum({id(data): len(data) for data in datas}.values())


def _spread(message: Message, groups: Groups, starts: Sequence[int], told: bool) -> Message:
    """A message whose media stand for groups of media, one after the other; told: each frame after its time."""
    parts: list[tuple[str, str | int]] = []
    for kind, value in message.parts:
        if kind != "media":
            parts.append((kind, value))
            continue
        for n, medium in enumerate(groups[int(value)], starts[int(value)]):
            if told and medium.seconds is not None:
                parts.append(("text", f"<{medium.seconds:.1f}s>"))
            parts.append(("media", n))
    return Message(message.role, tuple(parts))
