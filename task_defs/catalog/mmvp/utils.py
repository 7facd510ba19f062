"""Rows of MMVP."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_OPTION = re.compile(r"\([a-z]\)\s*(.+?)(?=\s*\([a-z]\)|$)", re.IGNORECASE)


def pairs(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`options` from "(a) Open (b) Closed", `pair` from the number: 1 and 2, 3 and 4 ... belong together."""
    for doc in docs:
        index = int(doc["Index"])
        yield {
            "index": index,
            "pair": (index - 1) // 2,
            "question": doc["Question"],
            "options": [text.strip() for text in _OPTION.findall(doc["Options"])],
            "answer": doc["Correct Answer"].strip(),
            "image": doc["image"],
        }
