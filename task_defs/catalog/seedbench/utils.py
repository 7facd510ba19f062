"""Rows of SEED-Bench and SEED-Bench-2-Plus."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def pictures(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """Only the questions on pictures, not those on frames of videos; `options` as a list."""
    for doc in docs:
        if doc["data_type"] == "image":
            yield {**doc, "options": [doc[f"choice_{letter}"] for letter in "abcd"]}


def kinds(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`options` as a list; `kind` is Chart, Map or Web."""
    for doc in docs:
        options = [doc[f"choice_{letter}"] for letter in "ABCD"]
        yield {**doc, "options": options, "kind": doc["question_image_type"].capitalize()}
