"""VLMEvalKit's result tables: the data set's columns and `prediction`.

Written by `dump` of vlmeval/smp/file.py as `<model>_<dataset>.xlsx`, `.tsv` or `.json` (PRED_FORMAT). A request
that failed stands there as a text that begins with "Failed to obtain answer".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval_assets.pipeline.importers.base import Answer, Log, Options, as_text
from eval_assets.pipeline.importers.rows import Row

_FAILED = "Failed to obtain answer"
_COLUMNS = {"index", "prediction"}


def is_table(row: dict[str, Any]) -> bool:
    return row.keys() >= _COLUMNS


def read(path: Path, kind: str, rows: Iterator[Row], options: Options) -> Log:
    """The file's name ends in the data set's and begins with the model's; where one ends, nobody says."""
    model, _, dataset = path.stem.rpartition("_")
    log = Log(
        path, "vlmevalkit", f"a VLMEvalKit table ({kind}: index, prediction)", iter(()), ("id", "question"),
        task=dataset or None, model=model or None,
    )  # fmt: skip
    log.answers = _answers(rows)
    return log


def _answers(rows: Iterator[Row]) -> Iterator[Answer]:
    for where, row in rows:
        text = row["prediction"]
        said = "" if text is None else as_text(text)
        failed = said.startswith(_FAILED)
        thinking, question, target = row.get("thinking"), row.get("question"), row.get("answer")
        yield Answer(
            where,
            None if failed else said,
            said if failed else None,
            id=as_text(row["index"]),
            question=as_text(question) if question else None,
            target=(as_text(target),) if target not in (None, "") else None,
            fields={name: value for name, value in row.items() if name not in ("prediction", "thinking")},
            sample=0,
            reasoning=thinking if isinstance(thinking, str) else "",
        )
