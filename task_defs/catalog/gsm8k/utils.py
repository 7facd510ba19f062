"""Rows of GSM8K: the question, its gold solution and the label in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def questions(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """Only what belongs to the question; `answer` is what follows the last "A: " of the solution."""
    for doc in docs:
        _, found, answer = doc["ground_truth"].rpartition("A: ")
        yield {
            "question": doc["question"],
            "solution": doc["ground_truth"],
            "answer": answer.strip() if found else None,
        }
