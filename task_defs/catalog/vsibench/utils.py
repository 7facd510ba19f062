"""Rows of VSI-Bench."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

_DIRECTION = "object_rel_direction"


def with_ability(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """Adds `ability` (the question's type, the three of direction as one) and `scene`, told apart by data set."""
    for doc in docs:
        kind = doc["question_type"]
        ability = _DIRECTION if kind.startswith(_DIRECTION) else kind
        options = doc.get("options") or None
        yield {**doc, "options": options, "ability": ability, "scene": f"{doc['dataset']}/{doc['scene_name']}"}


def video(doc: dict[str, Any]) -> str:
    return f"{doc['scene']}.mp4"
