"""Rows of VocalSound and the class that a response names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What is looked for, and the class that it means. In this order: a response with two names means the first of these.
_CLASSES = {
    "laughter": "Laughter",
    "sniff": "Sniff",
    "throat": "Throat clearing",
    "cough": "Cough",
    "sigh": "Sigh",
    "sneeze": "Sneeze",
}


def with_gender(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`gender`: from the speaker's number, which begins with f or m."""
    for doc in docs:
        yield {**doc, "gender": "female" if str(doc["spk_id"]).startswith("f") else "male"}


def first_named(item: Any, text: str) -> dict[str, Any]:
    """Right where the first class named in `text` is the label's."""
    found = next((name for part, name in _CLASSES.items() if part in text.lower()), None)
    if found is None:
        return {"score": 0.0, "flags": ("no_answer",)}
    return {"score": float(found == item.target), "answer": found}
