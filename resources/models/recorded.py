"""Answers that a model gave elsewhere, as a model."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa

from resources.models.base import LMM, Instance, ModelUnusable, Requests, Response, ResponseError, aiter_requests
from resources.store.lookup import Lookup
from resources.store.tables import open_table, replace, scan, storable

SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("item_id", pa.string()),
        ("sample", pa.int32()),
        ("text", pa.string()),  # null: there is an error in its place
        ("error", pa.string()),  # why the log has no answer here
        ("finish_reason", pa.string()),  # null: stop
        ("reasoning", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        ("served_by", pa.string()),  # the model that the log names
    ]
)
_CHUNK = 1024


class RecordedAnswer(NamedTuple):
    """One sample of one item; exactly one of text and error is there."""

    item_id: str
    sample: int
    text: str | None
    error: str | None = None
    finish_reason: str = "stop"
    reasoning: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    served_by: str = ""


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
        found = {(row["item_id"], row["sample"]): row for row in rows}
        for request in chunk:
            row = found.get((request.item_id, request.sample))
            yield _unanswered(request, row) if row is None or row["text"] is None else _response(request, row)


def _unanswered(request: Instance, row: Mapping[str, Any] | None) -> Response:
    if row is None:
        message = f"no answer was recorded for item {request.item_id}, sample {request.sample}"
        error = ResponseError("not_recorded", message, retryable=False)
    else:
        error = ResponseError("failed_there", f"the log says: {row['error']}", retryable=False)
    return Response(request.id, finish_reason="error", error=error)


def _response(request: Instance, row: Mapping[str, Any]) -> Response:
    """A table of an older version lacks all columns but the text's."""
    counts = {name: row.get(name) for name in ("prompt_tokens", "completion_tokens")}
    return Response(
        request.id,
        text=row["text"],
        finish_reason=row.get("finish_reason") or "stop",
        usage={name: count for name, count in counts.items() if count is not None},
        reasoning=row.get("reasoning") or "",
        served_by=row.get("served_by") or "",
    )


def store_answers(uri: str, task: str, answers: Iterable[RecordedAnswer | tuple[str, int, str]]) -> int:
    """Put these in the place of what was recorded for this task, in one commit and flat memory; their number.

    A plain tuple is (item_id, sample, text).
    """
    count = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal count
        yield from _others(uri, task)
        left = iter(answers)
        while chunk := list(islice(left, _CHUNK)):
            rows = [{"task": task, **RecordedAnswer(*answer)._asdict()} for answer in chunk]
            count += len(rows)
            yield pa.RecordBatch.from_pylist([_storable(row) for row in rows], schema=SCHEMA)

    replace(uri, pa.RecordBatchReader.from_batches(SCHEMA, batches()), SCHEMA)
    return count


def _storable(row: dict[str, Any]) -> dict[str, Any]:
    return {name: storable(v) if isinstance(v, str) else v for name, v in row.items()}


def _others(uri: str, task: str) -> Iterator[pa.RecordBatch]:
    """What is recorded for other tasks, in the columns of today."""
    table = open_table(uri)
    if table is not None:
        for batch in scan(table, [name for name in SCHEMA.names if name in table.schema.names]):
            kept = [row for row in batch.to_pylist() if row["task"] != task]
            yield pa.RecordBatch.from_pylist(kept, schema=SCHEMA)


def recorded_fingerprint(uri: str) -> tuple[str, int]:
    """Of all answers, whatever order they stand in (a sum of hashes), and their bytes."""
    table = open_table(uri)
    if table is None:
        raise ModelUnusable(f"no recorded answers at {uri}: run `evals import-answers`")
    total, size = 0, 0
    for batch in scan(table, [name for name in _IDENTITY if name in table.schema.names], _CHUNK):
        for row in batch.to_pylist():
            parts = [row["task"], row["item_id"], str(row["sample"]), row["text"] or ""]
            parts += [f"{name}={row[name]}" for name in _IDENTITY[4:] if row.get(name) not in (None, "", "stop")]
            data = "\x1f".join(parts).encode()
            total += int.from_bytes(hashlib.sha256(data).digest()[:16], "big")
            size += len(data)
    return f"{total % 2**128:032x}", size


# What a judge or a report can see; the rest is only kept.
_IDENTITY = ("task", "item_id", "sample", "text", "error", "finish_reason", "reasoning")
