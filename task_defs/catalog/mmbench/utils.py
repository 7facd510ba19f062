"""Rows of MMBench."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ROTATED = 1_000_000  # what the index of each further rotation of a question's options is more


def rotations(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`options` as a list, `question_id` (the same for all rotations of a question), `rotation` (0: as written).

    What is missing is null on the hub, or the text "nan". `answer` is null where the labels are not public.
    """
    for doc in docs:
        index = int(doc["index"])
        yield {
            "index": index,
            "question_id": index % _ROTATED,
            "rotation": index // _ROTATED,
            "question": doc["question"],
            "hint": _known(doc.get("hint")),
            "options": [str(doc[letter]) for letter in "ABCDE" if _known(doc.get(letter)) is not None],
            "answer": _known(doc.get("answer")),
            "category": doc["category"],
            "l2_category": doc.get("L2-category") or doc.get("l2-category"),
            "image": doc["image"],
        }


def _known(value: Any) -> Any:
    missing = value is None or str(value).strip() in ("", "nan")
    return None if missing else value
