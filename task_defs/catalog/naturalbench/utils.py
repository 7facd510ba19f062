"""Rows of NaturalBench: four in a row are question 0 on both pictures, then question 1."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def groups(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`options` ("Yes" and "No", or the letters that the question gives), and what each metric counts."""
    for doc in docs:
        group, place = divmod(int(doc["Index"]), 4)
        yield {
            **doc,
            "options": ["Yes", "No"] if doc["Question_Type"] == "yes_no" else ["A", "B"],
            "group": group,
            "group_question": f"{group} {place // 2}",
            "group_picture": f"{group} {place % 2}",
        }
