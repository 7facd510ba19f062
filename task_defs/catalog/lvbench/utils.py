"""Rows of LVBench: one for each question on a video."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_OPTION = re.compile(r"^\(([A-Z])\)\s*(.*)$", re.MULTILINE)


def questions(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`options`: read from the question, whose lines "(A) ..." they are; `question` keeps them."""
    for doc in docs:
        for asked in doc["qa"]:
            yield {
                "uid": asked["uid"],
                "video": f"videos/{doc['key']}.mp4",
                "type": doc["type"],
                "question": asked["question"],
                "options": [text for _, text in _OPTION.findall(asked["question"])],
                "answer": asked["answer"],
                "time_reference": asked["time_reference"],
            }
