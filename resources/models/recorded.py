"""Answers that a model gave elsewhere, as a model."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

import pyarrow as pa

from resources.models.base import LMM, Instance, ModelUnusable, Requests, Response, ResponseError, aiter_requests
from resources.store.lookup import Lookup
from resources.store.tables import open_table, quoted, replace, storable

SCHEMA = pa.schema([("task", pa.string()), ("item_id", pa.string()), ("sample", pa.int32()), ("text", pa.string())])
_CHUNK = 1024


class RecordedModel(LMM):
    """Answers by item and sample from `recorded/<name>.lance` (made by `evals import-answers`)."""

    no_loglikelihood = "recorded answers have no log-likelihoods: use a task with output_type generate_until"

    def __init__(self, uri: str, *, task: str) -> None:
        self._uri, self._task = uri, task

    @property
    def engine(self) -> Mapping[str, Any]:
        return {"name": "recorded"}

    async def generate_until(self, requests: Requests) -> AsyncGenerator[Response, None]:
        table = open_table(self._uri)
        if table is None:
            raise ModelUnusable(f"no recorded answers at {self._uri}: run `evals import-answers` again")
        stored, chunk = Lookup(table, ["task", "item_id", "sample"]), list[Instance]()
        async for request in aiter_requests(requests):
            chunk.append(request)
            if len(chunk) == _CHUNK:
                for response in self._answers(stored, chunk):
                    yield response
                chunk = []
        for response in self._answers(stored, chunk):
            yield response

    async def loglikelihood(self, requests: Requests) -> AsyncGenerator[Response, None]:
        raise ModelUnusable(self.no_loglikelihood)
        yield

    def _answers(self, stored: Lookup, chunk: list[Instance]) -> Iterable[Response]:
        rows = stored.find((self._task, request.item_id, request.sample) for request in chunk)
        texts = {(row["item_id"], row["sample"]): row["text"] for row in rows}
        for request in chunk:
            text = texts.get((request.item_id, request.sample))
            if text is None:
                message = f"no answer was recorded for item {request.item_id}, sample {request.sample}"
                error = ResponseError("not_recorded", message, retryable=False)
                yield Response(request.id, finish_reason="error", error=error)
            else:
                yield Response(request.id, text=text)


def store_answers(uri: str, task: str, answers: Iterable[tuple[str, int, str]]) -> int:
    """Put (item_id, sample, text) in the place of what was recorded for this task; their number."""
    table = open_table(uri)
    kept = None if table is None else table.to_table(filter=f"task != {quoted(task)}")
    ids, samples, texts = zip(*answers, strict=True)
    new = pa.table([[task] * len(ids), ids, samples, [storable(t) for t in texts]], schema=SCHEMA)
    replace(uri, new if kept is None else pa.concat_tables([kept.cast(SCHEMA), new]), SCHEMA)
    return len(ids)


def recorded_fingerprint(uri: str) -> tuple[str, int]:
    """Hash of all answers in a canonical order, and their bytes."""
    table = open_table(uri)
    if table is None:
        raise ModelUnusable(f"no recorded answers at {uri}: run `evals import-answers`")
    rows = table.to_table().sort_by([("task", "ascending"), ("item_id", "ascending"), ("sample", "ascending")])
    whole, size = hashlib.sha256(), 0
    for batch in rows.to_batches(max_chunksize=_CHUNK):
        for row in batch.to_pylist():
            text = f"{row['task']}\x1f{row['item_id']}\x1f{row['sample']}\x1f{row['text']}\x1e".encode()
            whole.update(text)
            size += len(text)
    return whole.hexdigest()[:32], size
