"""Media of the questions that are about to be asked: each read once, encoded once, and let go."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from eval_assets.pipeline.questions import Question
from resources.models import Media
from resources.store.media import MediaTable
from resources.store.outputs import Asked


class MediaPool:
    """Media of neighbouring questions: each read once and encoded once."""

    def __init__(self, table: MediaTable) -> None:
        self._table = table
        self._held: OrderedDict[str, Media] = OrderedDict()

    def within(self, lacking: list[tuple[Question, Asked]], limit: int) -> Iterator[list[tuple[Question, Asked]]]:
        """The questions in batches whose media together stay below `limit` bytes, media loaded."""
        batch: list[tuple[Question, Asked]] = []
        held: dict[str, int] = {}
        for entry in lacking:
            sizes = {m.sha: self._table.size(m.sha) for m in entry[0].item.media if m.sha}
            if batch and sum({**held, **sizes}.values()) > limit:
                self._load(batch)
                yield batch
                batch, held = [], {}
            held.update(sizes)
            batch.append(entry)
        if batch:
            self._load(batch)
            yield batch

    def _load(self, batch: list[tuple[Question, Asked]]) -> None:
        mimes = {m.sha: m.mime for asked_question, _ in batch for m in asked_question.item.media if m.sha}
        self._held = OrderedDict((sha, self._held[sha]) for sha in mimes if sha in self._held)
        found = self._table.read([sha for sha in mimes if sha not in self._held])
        self._held.update({sha: Media(data, mimes[sha], sha) for sha, data in found.items()})

    def of(self, asked_question: Question) -> tuple[Media, ...]:
        return tuple(self._held[m.sha] for m in asked_question.item.media if m.sha)
