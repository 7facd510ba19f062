"""Rows of MME."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")


def questions(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """An id for each of a picture's two questions; the subtask as `perception` or as `cognition`, the other null."""
    seen: Counter[str] = Counter()
    for doc in docs:
        picture, subtask = doc["question_id"], doc["category"]
        yield {
            **doc,
            "id": f"{picture} {seen[picture]}",
            "question": doc["question"].strip(),
            "perception": None if subtask in COGNITION else subtask,
            "cognition": subtask if subtask in COGNITION else None,
        }
        seen[picture] += 1
