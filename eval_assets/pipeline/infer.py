"""Asking a model what a cell still lacks; every answer is durable within a second of arriving."""

from __future__ import annotations

import asyncio
import contextlib
import json
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

from eval_assets.pipeline.answered import place, stored_hashes
from eval_assets.pipeline.cell import Cell, complete_outputs, finish, refuse_unanswerable
from eval_assets.pipeline.episodes import Episodes
from eval_assets.pipeline.failures import Failures
from eval_assets.pipeline.imported_data import outdated
from eval_assets.pipeline.inferred import Inferred, conclude
from eval_assets.pipeline.ingest import items_of, media_of
from eval_assets.pipeline.judge_models import refuse_unjudgeable
from eval_assets.pipeline.media_pool import Given, MediaPool
from eval_assets.pipeline.prefetch import chain, prefetched
from eval_assets.pipeline.progress import Progress
from eval_assets.pipeline.questions import COLUMNS, Question, question
from eval_assets.pipeline.registering import refuse_rewritten
from eval_assets.pipeline.seeing import refuse_unseen
from eval_assets.pipeline.shown import why_unchecked
from eval_assets.pipeline.writer import RowWriter
from eval_assets.versions import input_hash, request_key
from resources.models import LMM, Instance
from resources.models.budget import Spend
from resources.models.concurrent import unless_refused
from resources.models.reasoning import separated
from resources.store import Store
from resources.store.outputs import Asked, row_of

CHUNK = 64  # questions read ahead at a time
CHUNK_BYTES = 64 * 2**20  # or fewer, when their media are large
LATEST = 8192  # requests between two sortings


def infer(cell: Cell, store: Store, *, run_id: str, log: Callable[[str], None]) -> Inferred:
    """Complete the cell's outputs and return what was done; at once if they are complete.

    Raises InferenceIncomplete after keeping what was answered, ModelUnusable, StoreUnwritable.
    """
    if cell.by_item and (old := outdated(store, cell.checkpoint.key, cell.task.task, cell.dataset_version)):
        log(f"WARNING: {cell.checkpoint.key}: {old}")
    record = complete_outputs(store, cell)
    if record is not None:
        log(f"{cell.checkpoint.key} on {cell.task.task}: complete, nothing to ask")
        return Inferred(version=record["version"], rows=record["n_rows"])
    refuse_unanswerable(cell.checkpoint, cell.task, blind=cell.variant.blind)
    refuse_unjudgeable(store, cell.checkpoint.key, cell.task)
    refuse_unseen(store, cell)
    if unchecked := why_unchecked(cell.checkpoint, cell.media):
        log(f"WARNING: {cell.checkpoint.key} on {cell.task.task}: {unchecked}")
    store.ensure_writable()
    name = f"{cell.task.task}-{cell.checkpoint.fingerprint}"
    with store.lock(name, lambda holder: log(f"another run ({holder}) asks this model this task: waiting")):
        pass_ = Episodes if cell.task.episode else _Inference
        done = asyncio.run(pass_(cell, store, run_id, log).run())
    table = cell.outputs(store)
    table.compact()
    done.rows = table.count()
    done.served_by = table.served_by() if done.asked else {}
    if len(done.served_by) > 1:
        answers = ", ".join(f"{model} gave {count}" for model, count in done.served_by.items())
        log(f"WARNING: {cell.checkpoint.key} on {cell.task.task} was answered by more than one model: {answers}")
    if done.fitted:
        log(f"{done.fitted} questions were asked with fewer frames than the task says, which did not fit: see `fitted`")
    details = {**cell.details(), "observed": done.observed, **({"fitted": done.fitted} if done.fitted else {})}
    finish(
        store, cell, "outputs", key=cell.key, version=done.version, n_rows=done.rows, run_id=run_id, details=details
    )  # fmt: skip
    return done


class _Inference:
    """One pass over a cell's questions.

    Rows and requests are remembered as 64-bit hashes of this process, where it can be in arrays:
    100 000 items stay small.
    """

    def __init__(self, cell: Cell, store: Store, run_id: str, log: Callable[[str], None]) -> None:
        self.cell, self.store, self.run_id, self.log = cell, store, run_id, log
        self.table = cell.outputs(store)
        self.stored, self.requested = stored_hashes(self.table)
        self.latest: set[int] = set()  # requests that have yet to join the others
        self.wanted = array("q")
        self.shared: list[Asked] = []  # questions whose request another question makes or made
        self.alike: list[Asked] = []  # those that came to what was sent for another question
        self.sent = self.table.lookup("sent")
        self.pending: dict[str, Asked] = {}
        self.done = Inferred()
        self.failures = Failures()
        self.spend = Spend()
        total = cell.n_asked_items * cell.repeats
        self.progress = Progress(f"{cell.checkpoint.key} on {cell.task.task}", total, log)

    async def run(self) -> Inferred:
        instances = prefetched(self._chunks())
        try:
            first = await anext(instances, None)
            if first is not None:  # else no model is loaded
                async with self.cell.model(self.log) as model:
                    refuse_rewritten(self.cell.checkpoint)
                    await self._ask(model, chain(first, instances))
                self.done.observed = dict(model.observed)
        finally:
            await instances.aclose()
        self._share()
        conclude(self.done, self.cell, self.store, self.failures, self.spend, self.wanted)
        self.log(self.progress.line())
        return self.done

    async def _ask(self, model: LMM, instances: AsyncIterator[Instance]) -> None:
        likely = self.cell.task.output_type != "generate_until"
        responses = unless_refused(model.loglikelihood if likely else model.generate_until, instances)
        # Closed before the requests are: its workers may be waiting for the next of them.
        async with contextlib.aclosing(responses), RowWriter(self.table.append) as writer:
            async for response in responses:
                asked = self.pending.pop(response.id)
                kept = self.failures.kept(response)
                self.progress.answered(failed=not kept)
                if not kept:
                    if self.failures.count == 1:
                        self.log(f"a request failed after its retries: {self.failures}")
                    continue
                self.done.asked += 1
                self.done.errors += response.error is not None
                # What a recorded answer cost was spent elsewhere.
                if not self.cell.by_item and (response.usage or response.error is None):
                    self.spend.add(response.usage)
                await writer.add(row_of(asked, separated(response, self.cell.reasoning_tags), self.run_id))

    # --- what to ask ------------------------------------------------------------------------

    def _chunks(self) -> Iterator[list[Instance]]:
        task = self.cell.task
        items, media = items_of(self.store, task).pin(), MediaPool(media_of(self.store, task), self.cell.media)
        limit, blind = self.cell.variant.limit, self.cell.variant.blind
        order = array("q", (row for row in items.media_order() if limit is None or row < limit))
        for start in range(0, len(order), CHUNK):
            rows = items.take(order[start : start + CHUNK].tolist(), COLUMNS)
            asked = (question(task, row, blind=blind, media=self.cell.media) for row in rows)
            lacking = [(q, a) for q in asked for a in self._lacking(q)]
            # Recorded answers were given with the media.
            for batch in [lacking] if self.cell.by_item else media.within(lacking, CHUNK_BYTES):
                yield [instance for entry in batch if (instance := self._instance(*entry, media))]

    def _lacking(self, asked_question: Question) -> Iterator[Asked]:
        """The samples of a question that are neither stored nor being asked."""
        item = asked_question.item
        if item.missing_media and not self.cell.by_item:
            self.done.missing_media += 1
            return
        if asked_question.failed and not self.cell.by_item:
            self.done.unasked += 1
            if self.done.unasked == 1:
                self.log(f"WARNING: an item is not asked: {asked_question.failed}")
            return
        for sample in range(self.cell.repeats):
            key = request_key(self.cell.settings, asked_question.inputs, sample, item.id if self.cell.by_item else None)
            row = hash((item.id, sample, 0, key))
            self.wanted.append(row)
            if place(self.stored, row) is not None:
                self.progress.already()
            elif self._is_new(hash(key)):
                yield Asked(item.id, sample, key)
            else:
                self.shared.append(Asked(item.id, sample, key))

    def _is_new(self, request: int) -> bool:
        """Whether nobody made this request before. A sorted array has 8 bytes for each, a set 75."""
        import numpy as np

        if request in self.latest or place(self.requested, request) is not None:
            return False
        self.latest.add(request)
        if len(self.latest) == LATEST:
            latest = np.fromiter(self.latest, np.int64, LATEST)
            self.requested, self.latest = np.sort(np.concatenate([self.requested, latest])), set()
        return True

    def _instance(self, asked_question: Question, asked: Asked, media: MediaPool) -> Instance | None:
        """The request, or None where the same was sent before: a short video gives the same frames to many policies."""
        gen = dict(self.cell.gen_kwargs)
        if "seed" in gen:
            gen["seed"] += asked.sample  # one seed for all samples would give one answer K times
        given = Given(asked_question.messages, ()) if self.cell.by_item else media.given(asked_question)
        if given.fitted:
            self.done.fitted += 1
            asked = replace(asked, fitted=json.dumps(given.fitted))
        if given.media and self.cell.media.samples("video") and not given.refused:
            asked = replace(asked, sent=self._sent(asked_question, asked.sample, given))
            if self.sent.find([(asked.sent,)]):
                self.alike.append(asked)
                return None
        self.pending[asked.request_key] = asked
        return Instance(
            messages=given.messages,
            media_list=given.media,
            gen_kwargs=gen,
            continuations=asked_question.continuations,
            id=asked.request_key,
            item_id=asked.item_id,
            sample=asked.sample,
            refused=given.refused,
        )

    def _sent(self, asked_question: Question, sample: int, given: Given) -> str:
        """A key as `request_key` makes it, of the frames that were chosen in place of the rule that chose them."""
        seen, shas = [[m.role, m.parts] for m in given.messages], [m.sha for m in given.media]
        return request_key(self.cell.settings, input_hash(seen, shas, asked_question.continuations), sample)

    # --- one answer for several questions -----------------------------------------------------

    def _share(self) -> None:
        """Give questions the answer to the same request: what was sent before first, others may have its request."""
        self._copy(self.alike, "sent")
        self._copy(self.shared, "request_key")

    def _copy(self, alike: list[Asked], by: str) -> None:
        answered = self.table.lookup(by)
        for start in range(0, len(alike), 512):
            chunk = [(getattr(asked, by), asked) for asked in alike[start : start + 512]]
            rows = {row[by]: row for row in answered.find({(key,) for key, _ in chunk})}
            copies = [
                {**rows[key], "item_id": a.item_id, "sample": a.sample, "request_key": a.request_key,
                 "run_id": self.run_id, **({"fitted": a.fitted} if by == "sent" else {})}
                for key, a in chunk
                if key in rows
            ]  # fmt: skip
            self.table.append(copies)
            self.done.reused += len(copies)
            self.progress.already(len(copies))
