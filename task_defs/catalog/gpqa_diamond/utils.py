"""Rows of GPQA: what a question needs, its options in an order of their own."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_OPTIONS = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def shuffled(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`options` sorted by the hash of question and option: no order that a generator's version could change."""
    for doc in docs:
        given = [str(doc[name]).strip() for name in _OPTIONS]
        options = sorted(given, key=lambda option: hashlib.sha256(f"{doc['Record ID']}/{option}".encode()).digest())
        yield {
            "id": doc["Record ID"],
            "question": str(doc["Question"]).strip(),
            "options": options,
            "label": options.index(given[0]),
            "domain": doc["High-level domain"],
        }
