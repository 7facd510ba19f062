"""Rows of CV-Bench."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def parts(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`part`: the pictures' source in 2D, the task in 3D."""
    for doc in docs:
        yield {**doc, "part": doc["source"] if doc["type"] == "2D" else doc["task"]}
