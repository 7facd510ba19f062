"""Asking judge models what is not stored yet; every judge answer is durable within a second of arriving.

All that the cell's answers need is asked first, as one stream for each judge model, many in flight. Verdicts are then
made from the store alone, so that aggregating again asks nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from eval_assets.pipeline.answered import place, stored_hashes
from eval_assets.pipeline.failures import Failures
from eval_assets.pipeline.judge_models import JudgeModel
from eval_assets.pipeline.prefetch import chain, prefetched
from eval_assets.pipeline.writer import RowWriter
from judges.asking import Ask, Reply
from judges.llm_base import NOT_REACHED, LLMJudge
from resources.models import LMM, Instance, Media, Message, ModelUnusable
from resources.models.base import Part
from resources.models.budget import Spend
from resources.models.reasoning import separated
from resources.store import Store
from resources.store.lookup import Lookup
from resources.store.media import MediaTable
from resources.store.outputs import Asked, response_of, row_of

_TOGETHER = 64  # requests whose pictures are read at once
# (items, responses) of a cell, chunk by chunk, in the data set's order.
Pairs = Callable[[], Iterable[tuple[Sequence[Any], Sequence[Any]]]]


class JudgingIncomplete(RuntimeError):
    """Some judge requests failed in a way that may pass; every judge answer that came is kept."""


@dataclass
class AskedModel:
    """What one judge model was asked now. problem: why it could not be asked on, if it could not."""

    asked: int = 0
    reused: int = 0
    failures: Failures = field(default_factory=Failures)
    spend: Spend = field(default_factory=Spend)
    problem: str = ""

    def record(self, model: JudgeModel) -> dict[str, Any]:
        """JSON-able, for the run's metadata."""
        counts = {"asked": self.asked, "reused": self.reused, "failed": self.failures.count}
        return {**{k: v for k, v in counts.items() if v}, **self.spend.record(model.prices)}

    def line(self, model: JudgeModel) -> str:
        """The same for a log."""
        said = ", ".join(f"{name} {value:g}" for name, value in self.spend.record(model.prices).items())
        return f"judge {model.name}: asked {self.asked}, known {self.reused}{said and ', '}{said}"

    def fault(self) -> str:
        """Why answers are missing; "" where none are."""
        return self.problem or str(self.failures)


def ask_judges(
    judge: LLMJudge,
    models: Sequence[JudgeModel],
    pairs: Pairs,
    store: Store,
    *,
    media: MediaTable,
    run_id: str,
    log: Callable[[str], None],
) -> dict[str, AskedModel]:
    """Ask every judge model what this cell's answers need and nobody has asked it yet; by its name, what was done.

    A judge model that cannot be reached leaves the others alone: what it did not answer is told in `problem`.
    """

    async def all_of_them() -> list[AskedModel]:
        asked = (_Asking(judge, model, pairs, store, media, run_id, log).run() for model in models)
        return list(await asyncio.gather(*asked))

    return dict(zip((m.name for m in models), asyncio.run(all_of_them()), strict=True))


class _Asking:
    """One pass over a cell's answers for one judge model."""

    def __init__(
        self,
        judge: LLMJudge,
        model: JudgeModel,
        pairs: Pairs,
        store: Store,
        media: MediaTable,
        run_id: str,
        log: Callable[[str], None],
    ) -> None:
        self.judge, self.model, self.pairs, self.media, self.run_id, self.log = judge, model, pairs, media, run_id, log
        self.table = model.answers(store)
        _, self.stored = stored_hashes(self.table)
        self.seen: set[int] = set()
        self.pending: dict[str, Asked] = {}
        self.done = AskedModel()

    async def run(self) -> AskedModel:
        instances = prefetched(self._chunks())
        try:
            first = await anext(instances, None)
            if first is not None:  # else no model is loaded
                async with self.model.model(self.log) as model:
                    await self._ask(model, chain(first, instances))
        except ModelUnusable as error:
            self.done.problem = str(error)
        finally:
            await instances.aclose()
        if self.done.asked:
            self.table.compact()
            self.log(self.done.line(self.model))
        return self.done

    async def _ask(self, model: LMM, instances: AsyncIterator[Instance]) -> None:
        responses = model.generate_until(instances)
        # Closed before the requests are: its workers may be waiting for the next of them.
        async with contextlib.aclosing(responses), RowWriter(self.table.append) as writer:
            async for response in responses:
                asked = self.pending.pop(response.id)
                if not self.done.failures.kept(response):
                    continue
                self.done.asked += 1
                self.done.spend.add(response.usage)
                await writer.add(row_of(asked, separated(response, self.model.reasoning_tags), self.run_id))

    def _chunks(self) -> Iterator[list[Instance]]:
        for items, responses in self.pairs():
            asks = (a for i, r in zip(items, responses, strict=True) for a in self.judge.asks(i, r))
            new = self._new(asks)
            while some := list(islice(new, _TOGETHER)):
                shown = self._pictures([ask for ask, _ in some])
                yield [self._instance(ask, key, shown) for ask, key in some]

    def _pictures(self, asks: Sequence[Ask]) -> dict[str, Media]:
        """What these requests show, by its hash: each picture is read and encoded once for all of them."""
        mimes = {sha: mime for ask in asks for sha, mime in ask.pictures}
        found = self.media.read(sorted(mimes)) if mimes else {}
        return {sha: Media(found[sha], mime, sha) for sha, mime in mimes.items()}

    def _new(self, asks: Iterable[Ask]) -> Iterator[tuple[Ask, str]]:
        """Requests that are neither stored nor being made: equal answers to equal questions are judged once."""
        for ask in asks:
            if ask.model != self.model.name:
                continue
            key = self.model.request_key(ask)
            if hash(key) in self.seen or place(self.stored, hash(key)) is not None:
                self.done.reused += 1
                continue
            self.seen.add(hash(key))
            yield ask, key

    def _instance(self, ask: Ask, key: str, shown: dict[str, Media]) -> Instance:
        self.pending[key] = Asked(ask.item_id, ask.sample, key)
        *before, (role, text) = ask.messages
        pictures: tuple[Part, ...] = tuple(("media", place) for place in range(len(ask.pictures)))
        last = Message(role, (*pictures, ("text", text)))
        return Instance(
            messages=(*(Message(role, (("text", text),)) for role, text in before), last),
            media_list=[shown[sha] for sha, _ in ask.pictures],
            gen_kwargs=self.model.sent(ask), id=key, item_id=ask.item_id, sample=ask.sample,
        )  # fmt: skip


class StoredReplies:
    """A judge's client that answers from the store: what was asked before, by whichever run."""

    def __init__(self, models: Sequence[JudgeModel], store: Store, faults: dict[str, str]) -> None:
        self._models = {m.name: m for m in models}
        self._stored: dict[str, Lookup] = {m.name: m.answers(store).lookup("request_key") for m in models}
        self._faults = faults

    async def ask(self, asks: Sequence[Ask]) -> list[Reply]:
        keys = [self._models[ask.model].request_key(ask) for ask in asks]
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for name, stored in self._stored.items():
            wanted = {(key,) for ask, key in zip(asks, keys, strict=True) if ask.model == name}
            for row in stored.find(wanted):
                found.setdefault((name, row["request_key"]), row)  # the first, if two writers met
        return [self._reply(ask.model, found.get((ask.model, key))) for ask, key in zip(asks, keys, strict=True)]

    def _reply(self, name: str, row: dict[str, Any] | None) -> Reply:
        if row is None:
            fault = self._faults.get(name) or "it has not been asked"
            return Reply(failure=f"{NOT_REACHED}: {name}: {fault}"[:300])
        response = response_of(row)
        if response.error is not None:
            kind = "judge refused" if response.error.kind == "refused" else "judge could not read it"
            return Reply(failure=f"{kind}: {name}: {response.error.kind}: {response.error.message}"[:300])
        if response.finish_reason == "content_filter":
            return Reply(failure=f"judge refused: {name}: {response.text}"[:300])
        return Reply(response.text, cut_off=response.finish_reason == "length")
