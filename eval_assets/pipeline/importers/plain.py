"""Rows whose fields the user names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval_assets.pipeline.importers.base import Answer, ImportRefused, Log, Options, as_text, targets
from eval_assets.pipeline.importers.rows import Row, dig

_NAMES = {"jsonl": "JSONL", "json": "JSON", "csv": "CSV", "tsv": "TSV", "xlsx": "XLSX", "parquet": "Parquet"}


def read(path: Path, kind: str, rows: Iterator[Row], options: Options) -> Log:
    """Raises ImportRefused where no field is named for the response, with those that there are."""
    found = f"{_NAMES[kind]} rows"
    match = ("row",) if options.fields.id is None else ("id", f"field:{options.fields.id}")
    first = next(rows, None)
    if first is None:
        return Log(path, "plain", found, iter(()), match, rows_are_samples=True)
    if options.fields.response is None:
        raise ImportRefused(
            f"{path} is of no format that is known: name the field with the answer by --response-field "
            f"(and the item's by --id-field); it has {', '.join(map(str, first[1]))}"
        )
    answers = _Reading(path, options).answers(first, rows)
    return Log(path, "plain", found, answers, match, rows_are_samples=True)


@dataclass(frozen=True)
class _Reading:
    path: Path
    options: Options

    def answers(self, first: Row, rows: Iterator[Row]) -> Iterator[Answer]:
        yield from self._of_row(first, 0)
        for number, row in enumerate(rows, 1):
            yield from self._of_row(row, number)

    def _of_row(self, placed: Row, number: int) -> Iterator[Answer]:
        where, row = placed
        names = self.options.fields
        values = {name: self._field(row, number, getattr(names, name)) for name in names.__dataclass_fields__}
        text, error = values["response"], values["error"]
        given = values["id"]
        common: dict[str, Any] = {
            "id": None if given is None else as_text(given),
            "row": number if names.id is None else None,
            "question": None if values["question"] is None else as_text(values["question"]),
            "target": targets(values["target"]),
            "fields": {names.id: given} if names.id else {},
        }
        if names.id is not None and given is None:
            raise ImportRefused(f"{self.path}, {where}: the field {names.id!r} is empty")
        if error not in (None, "", False):
            yield Answer(where, None, as_text(error), sample=self._sample(values, where), **common)
        elif isinstance(text, list) and all(isinstance(t, str) or t is None for t in text) and text:
            for sample, one in enumerate(text):
                yield Answer(where, one, _missing(one), sample=sample, **common)
        else:
            said = None if text is None else as_text(text)
            yield Answer(where, said, _missing(said), sample=self._sample(values, where), **common)

    def _sample(self, values: dict[str, Any], where: str) -> int | None:
        given = values["sample"]
        if given is None:
            return None
        try:
            return int(as_text(given))
        except ValueError:
            name = self.options.fields.sample
            raise ImportRefused(f"{self.path}, {where}: {name!r} should be a number, and is {given!r}") from None

    def _field(self, row: dict[str, Any], number: int, name: str | None) -> Any:
        return None if name is None else dig(row, name, self.path, number)


def _missing(text: str | None) -> str | None:
    return "the log has no answer here (null)" if text is None else None
