"""Responses of one model on one task: appended while they come, never changed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from resources.models.base import Response, ResponseError
from resources.store.lookup import Lookup
from resources.store.tables import append, compact, open_table, scan, storable

SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("sample", pa.int32()),
        ("step", pa.int32()),  # of an episode or a stream; 0 for a single question
        ("request_key", pa.string()),
        ("text", pa.string()),  # the answer
        ("reasoning", pa.string()),  # what came before it
        ("reasoning_in_text", pa.bool_()),  # reasoning + text is the text as it came
        ("finish_reason", pa.string()),
        ("loglikelihoods", pa.list_(pa.float64())),
        ("continuation_tokens", pa.list_(pa.int32())),
        ("error_kind", pa.string()),
        ("error_message", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        ("cached_tokens", pa.int32()),
        ("reasoning_tokens", pa.int32()),
        ("served_by", pa.string()),  # the model that the endpoint names
        ("kv_use", pa.float64()),  # share of the engine's KV cache in use meanwhile, by all requests; of steps
        ("fitted", pa.string()),  # JSON: frames that were left out to fit the model's context, see resources.fitting
        ("sent", pa.string()),  # digest of messages and media as they were sent, of a sampled video
        ("timings", pa.string()),  # JSON: seconds by name
        ("run_id", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
    ]
)

COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which question a row answers. fitted: what was left out of it, as JSON; None: nothing.

    sent: digest of what was sent where the question does not tell it, since frames of a video were chosen; None: not
    known. Other numbers of frames are other questions, and may come to the same frames.
    """

    item_id: str
    sample: int
    request_key: str
    step: int = 0
    fitted: str | None = None
    sent: str | None = None


def row_of(asked: Asked, response: Response, run_id: str) -> dict[str, Any]:
    """A response as a row; unknown token counts are null, not 0."""
    return {
        "item_id": asked.item_id,
        "sample": asked.sample,
        "step": asked.step,
        "request_key": asked.request_key,
        "text": storable(response.text),
        "reasoning": storable(response.reasoning) if response.reasoning else None,
        "reasoning_in_text": response.reasoning_in_text if response.reasoning else None,
        "finish_reason": response.finish_reason,
        "loglikelihoods": response.loglikelihoods and list(response.loglikelihoods),
        "continuation_tokens": response.continuation_tokens and list(response.continuation_tokens),
        "error_kind": response.error and response.error.kind,
        "error_message": response.error and storable(response.error.message),
        "prompt_tokens": response.usage.get("prompt_tokens"),
        "completion_tokens": response.usage.get("completion_tokens"),
        "cached_tokens": response.usage.get("cached_tokens"),
        "reasoning_tokens": response.usage.get("reasoning_tokens"),
        "served_by": response.served_by or None,
        "kv_use": response.kv_use,
        "fitted": asked.fitted,
        "sent": asked.sent,
        "timings": json.dumps(dict(response.timings)),
        "run_id": run_id,
        "at": datetime.now(UTC),
    }


def response_of(row: Mapping[str, Any]) -> Response:
    """A stored row as the response it was."""
    error = None
    if row["error_kind"]:
        error = ResponseError(row["error_kind"], row["error_message"] or "", retryable=False)
    usage = {name: row[name] for name in COUNTS if row.get(name) is not None}
    values, tokens = row["loglikelihoods"], row.get("continuation_tokens")
    return Response(
        id=row["item_id"],
        text=row["text"] or "",
        finish_reason=row["finish_reason"],
        usage=usage,
        timings=json.loads(row["timings"] or "{}"),
        loglikelihoods=None if values is None else tuple(values),
        continuation_tokens=None if tokens is None else tuple(tokens),
        reasoning=row.get("reasoning") or "",
        reasoning_in_text=bool(row.get("reasoning_in_text")),
        served_by=row.get("served_by") or "",
        kv_use=row.get("kv_use"),
        error=error,
    )


@dataclass(frozen=True)
class OutputsTable:
    """`outputs/<task>/<fingerprint>.lance`."""

    uri: str

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            append(self.uri, pa.Table.from_pylist([dict(r) for r in rows], schema=SCHEMA), SCHEMA, grow=True)

    def compact(self) -> None:
        compact(self.uri)

    def count(self) -> int:
        table = open_table(self.uri)
        return 0 if table is None else table.count_rows()

    def identities(self) -> Iterator[tuple[str, int, int, str]]:
        """(item_id, sample, step, request_key) of every stored row, in batches behind the scenes."""
        table = open_table(self.uri)
        if table is None:
            return
        for batch in scan(table, ["item_id", "sample", "step", "request_key"]):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def answers(self) -> Iterator[dict[str, Any]]:
        """Every stored row without its bookkeeping, in batches behind the scenes."""
        table = open_table(self.uri)
        if table is None:
            return
        # A table of an older version lacks the latest columns until something is appended to it.
        columns = [c for c in table.schema.names if c not in {"timings", "run_id", "at", "error_message"}]
        for batch in scan(table, columns):
            yield from batch.to_pylist()

    def served_by(self) -> dict[str, int]:
        """How many answers each model gave that the endpoint named, most first; without its fingerprints."""
        table = open_table(self.uri)
        if table is None or "served_by" not in table.schema.names:
            return {}
        found = Counter[str]()
        for batch in scan(table, ["served_by"]):
            found.update(name.partition("+")[0] for name in batch["served_by"].to_pylist() if name)
        return dict(found.most_common())

    def lookup(self, *columns: str) -> Lookup:
        """Of the rows stored so far, by these columns; of none where an older version wrote the table without them."""
        table = open_table(self.uri)
        return Lookup(table if table is None or set(columns) <= set(table.schema.names) else None, columns)
