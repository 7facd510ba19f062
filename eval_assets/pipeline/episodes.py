"""Playing a cell's episodes: many at a time, every answer durable, a killed run goes on from its last step.

Nothing of a world is saved. A player makes the same turns of the same answers, so that an episode that was cut short
is played again from its start, with every turn that was answered before answered from the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from array import array
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from eval_assets.pipeline.answered import place, stored_hashes
from eval_assets.pipeline.cell import Cell
from eval_assets.pipeline.failures import Failures
from eval_assets.pipeline.inferred import Inferred, conclude
from eval_assets.pipeline.ingest import media_of
from eval_assets.pipeline.memory_watch import MemoryWatch
from eval_assets.pipeline.playing import Interrupted, Played
from eval_assets.pipeline.progress import Progress
from eval_assets.pipeline.questions import Question, questions
from eval_assets.pipeline.registering import refuse_rewritten
from eval_assets.pipeline.writer import RowWriter
from eval_assets.versions import request_key
from resources.episodes import EpisodeFailed, Outcome, Player, Unanswered
from resources.episodes.registry import build_player
from resources.models import LMM, Instance, Response, ResponseError
from resources.models.budget import Spend
from resources.models.reasoning import separated
from resources.store import Store
from resources.store.media import MediaTable, MediaWriter
from resources.store.outputs import Asked, response_of, row_of
from resources.store.steps import StepsTable


def steps_of(store: Store, cell: Cell) -> StepsTable:
    """The steps of all episodes of a task that were played with one fingerprint."""
    return StepsTable(store.table("steps", cell.task.task, cell.checkpoint.fingerprint or ""))


def step_media_of(store: Store, task: str) -> MediaTable:
    """What was seen in the steps of a task's episodes."""
    return MediaTable(store.table("media", f"{task}.steps"))


class Episodes:
    """One pass over a cell's episodes."""

    def __init__(self, cell: Cell, store: Store, run_id: str, log: Callable[[str], None]) -> None:
        assert cell.task.episode is not None
        self.cell, self.store, self.run_id, self.log, self.spec = cell, store, run_id, log, cell.task.episode
        self.table, self.steps, self.media = cell.outputs(store), steps_of(store, cell), media_of(store, cell.task)
        self.step_media = MediaWriter(step_media_of(store, cell.task.task))
        self.stored, _ = stored_hashes(self.table)
        self.answered = self.table.lookup("item_id", "sample")
        self.noted = {hash(identity) for identity in self.steps.identities("episode")}
        self.wanted = array("q")
        self.queue: asyncio.Queue[Instance | None] = asyncio.Queue()
        self.waiting: dict[str, tuple[Asked, asyncio.Future[Response]]] = {}
        self.done, self.failures, self.spend = Inferred(), Failures(), Spend()
        total = cell.n_asked_items * cell.repeats
        self.progress = Progress(f"{cell.checkpoint.key} on {cell.task.task}, episodes", total, log)

    async def run(self) -> Inferred:
        lacking = list(self._lacking())
        if lacking:  # else no model is loaded
            player = build_player(self.spec.player, self.spec.params)
            try:
                await self._play_all(player, lacking)
            finally:
                await player.close()
            self.steps.compact()
        conclude(self.done, self.cell, self.store, self.failures, self.spend, self.wanted)
        self.log(self.progress.line())
        return self.done

    def _lacking(self) -> Iterator[tuple[Question, Asked]]:
        for batch in questions(self.store, self.cell.task, limit=self.cell.variant.limit):
            for question in batch:
                if question.item.missing_media:
                    self.done.missing_media += 1
                    continue
                if question.failed:
                    self.done.unasked += 1
                    continue
                for sample in range(self.cell.repeats):
                    asked = Asked(question.item.id, sample, request_key(self.cell.settings, question.inputs, sample))
                    row = hash((asked.item_id, sample, 0, asked.request_key))
                    self.wanted.append(row)
                    if place(self.stored, row) is not None:
                        self.progress.already()
                    else:
                        yield question, asked

    async def _play_all(self, player: Player, lacking: Sequence[tuple[Question, Asked]]) -> None:
        left = iter(lacking)
        model: LMM | None = None
        async with contextlib.AsyncExitStack() as stack:
            self.answers = await stack.enter_async_context(RowWriter(self.table.append))
            self.notes = await stack.enter_async_context(RowWriter(self._store_steps))
            workers = [asyncio.create_task(self._work(player, left)) for _ in range(self.spec.concurrency)]
            jobs = [asyncio.create_task(self._all_of(workers))]
            if self.cell.checkpoint.model != "baseline":
                model = await stack.enter_async_context(self.cell.model(self.log))
                refuse_rewritten(self.cell.checkpoint)
                jobs.append(asyncio.create_task(self._answer(model)))
            try:
                await asyncio.gather(*jobs)
            finally:
                for task in (*jobs, *workers):
                    task.cancel()
                await asyncio.gather(*jobs, *workers, return_exceptions=True)
        self.done.observed = dict(model.observed) if model else {}

    async def _all_of(self, workers: Sequence[asyncio.Task[None]]) -> None:
        await asyncio.gather(*workers)
        await self.queue.put(None)

    async def _work(self, player: Player, left: Iterator[tuple[Question, Asked]]) -> None:
        for question, asked in left:
            await self._play(player, question, asked)

    async def _play(self, player: Player, question: Question, asked: Asked) -> None:
        known = {
            (row["step"], row["request_key"]): response_of(row)
            for row in self.answered.find([(asked.item_id, asked.sample)])
            if row["step"]
        }
        try:
            response = await self._played(player, question, asked, known)
        except Interrupted:
            self.progress.answered(failed=True)
            return
        self.done.errors += response.error is not None
        self.progress.answered()
        await self.answers.add(row_of(asked, response, self.run_id))

    async def _played(
        self, player: Player, question: Question, asked: Asked, known: dict[tuple[int, str], Response]
    ) -> Response:
        """The episode's outcome as a response. A world that breaks gets a second chance, with the same answers."""
        for again in (False, True):
            played = Played(self, question, asked, known)
            try:
                outcome = await player.play(played)
            except Unanswered as refused:
                await played.note()
                return played.response("", refused.response.error)
            except EpisodeFailed as failure:
                await played.note()
                self.log(f"WARNING: episode {asked.item_id}, sample {asked.sample}, step {played.steps}: {failure}")
                if again:
                    return played.response("", ResponseError("environment", str(failure), retryable=False))
            else:
                await played.note()
                return played.response(outcome_text(outcome, played.steps))
        raise AssertionError("the second attempt returns")

    # --- the model ---------------------------------------------------------------------------

    async def request(self, instance: Instance, asked: Asked) -> Response:
        """The model's answer, which is stored; raises Interrupted where there is none to keep."""
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.waiting[instance.id] = (asked, future)
        await self.queue.put(instance)
        return await future

    async def keep(self, asked: Asked, response: Response) -> Response:
        """Keep an answer; what is returned is what the store will say of it."""
        row = row_of(asked, separated(response, self.cell.reasoning_tags), self.run_id)
        await self.answers.add(row)
        self.done.asked += 1
        return response_of(row)

    async def _answer(self, model: LMM) -> None:
        memory = MemoryWatch(model.kv_use)
        responses = model.generate_until(self._requests(memory))
        async with contextlib.aclosing(memory), contextlib.aclosing(responses):
            async for response in responses:
                asked, future = self.waiting.pop(response.id)
                kv_use = memory.ended(response.id)
                if not self.failures.kept(response):
                    if not future.done():
                        future.set_exception(Interrupted())
                    continue
                if response.usage or response.error is None:
                    self.spend.add(response.usage)
                kept = await self.keep(asked, replace(response, kv_use=kv_use))
                if not future.done():
                    future.set_result(kept)

    async def _requests(self, memory: MemoryWatch) -> AsyncIterator[Instance]:
        while (instance := await self.queue.get()) is not None:
            memory.began(instance.id)
            yield instance

    # --- what was seen and done ----------------------------------------------------------------

    def is_new(self, asked: Asked, episode: str) -> bool:
        """Whether a step of this episode was not noted yet; it counts as noted from now on."""
        identity = hash((asked.item_id, asked.sample, asked.step, asked.request_key, episode))
        new = identity not in self.noted
        self.noted.add(identity)
        return new

    def _store_steps(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            for medium in row["media"]:
                self.step_media.add(medium.data, medium.mime)
        self.step_media.flush()
        at = datetime.now(UTC)
        self.steps.append([{**row, "media": [m.sha for m in row["media"]], "at": at} for row in rows])


def outcome_text(outcome: Outcome, steps: int) -> str:
    """An outcome as the judge `outcome` reads it."""
    found = {
        "score": outcome.score, "values": dict(outcome.values), "failure": outcome.failure,
        "unscored": outcome.unscored, "steps": steps, "details": dict(outcome.details),
    }  # fmt: skip
    return json.dumps(found, ensure_ascii=False, allow_nan=False)
