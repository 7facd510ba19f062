"""A log's answers in a temporary file: read once from the log, as often as matching needs from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

import pyarrow as pa

from eval_assets.pipeline.importers import Answer, Options
from eval_assets.pipeline.importers.base import as_text
from resources.store.tables import storable

_TEXT = pa.string()
_SCHEMA = pa.schema(
    [
        ("where", _TEXT), ("text", _TEXT), ("error", _TEXT), ("id", _TEXT), ("row", pa.int64()), ("question", _TEXT),
        ("target", pa.list_(_TEXT)), ("doc_hash", _TEXT), ("field", _TEXT), ("sample", pa.int64()),
        ("finish_reason", _TEXT), ("reasoning", _TEXT), ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()), ("served_by", _TEXT),
    ]
)  # fmt: skip
_ROWS, _BYTES = 512, 16 * 2**20
_EMPTY = "an empty text, which stands for a missing answer here"


@dataclass
class Spooled:
    """Answers in a file. rows: their number; counted: whether their ids are just the numbers from 1 on."""

    file: IO[bytes]
    rows: int = 0
    counted: bool = False

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """All answers in order, in batches; `field` is the value of the field that was asked for."""
        self.file.seek(0)
        for batch in pa.ipc.open_stream(self.file):
            yield batch.to_pylist()


def spool_answers(answers: Iterator[Answer], file: IO[bytes], options: Options, field: str | None) -> Spooled:
    """Read the log to its end. field: of each answer's `fields`, that items may be found by."""
    done, ids = Spooled(file), set[int]()
    only_numbers = True
    with pa.ipc.new_stream(file, _SCHEMA) as sink:
        for chunk in _chunks(answers):
            rows = [_row(answer, options, field) for answer in chunk]
            done.rows += len(rows)
            for row in rows:
                only_numbers = only_numbers and row["id"] is not None and row["id"].isdecimal() and len(row["id"]) < 10
                if only_numbers:
                    ids.add(int(row["id"]))
            sink.write_batch(pa.RecordBatch.from_pylist(rows, schema=_SCHEMA))
    done.counted = only_numbers and ids == set(range(1, len(ids) + 1))
    return done


def _row(answer: Answer, options: Options, field: str | None) -> dict[str, Any]:
    if options.empty_is_missing and answer.text is not None and not answer.text.strip():
        answer = replace(answer, text=None, error=_EMPTY)
    row: dict[str, Any] = {name: getattr(answer, name) for name in _SCHEMA.names if name != "field"}
    value = answer.fields.get(field) if field else None
    row["field"] = None if value is None else as_text(value)
    row["target"] = None if answer.target is None else list(answer.target)
    return {name: storable(v) if isinstance(v, str) else v for name, v in row.items()}


def _chunks(answers: Iterator[Answer]) -> Iterator[Sequence[Answer]]:
    chunk, held = list[Answer](), 0
    for answer in answers:
        chunk.append(answer)
        held += len(answer.text or "") + len(answer.question or "") + len(answer.reasoning)
        if len(chunk) == _ROWS or held > _BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk
