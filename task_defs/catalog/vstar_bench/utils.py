"""Rows of V*Bench."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_OPTION = re.compile(r"^\(([A-H])\) *(.*?) *$", re.MULTILINE)


def with_options(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`options` as the question lists them, "(A) rubber" a line."""
    for doc in docs:
        yield {**doc, "options": [text for _, text in _OPTION.findall(doc["text"])]}
