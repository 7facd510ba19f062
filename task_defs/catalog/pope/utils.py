"""Rows of POPE: each question with its label from the chosen label files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def with_labels(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """Adds `label`: "yes", "no", or null where the label files do not have the question."""
    labels: dict[str, dict[tuple[str, str], str]] = {}
    for doc in docs:
        category = doc["category"]
        if category not in labels:
            labels[category] = _labels(root / task.dataset_name / f"coco_pope_{category}.json")
        question = doc["text"].partition("\n")[0]
        yield {**doc, "label": labels[category].get((doc["image"], question))}


def _labels(file: Path) -> dict[tuple[str, str], str]:
    with file.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    return {(row["image"], row["text"]): row["label"] for row in rows}


def picture(doc: dict[str, Any]) -> str:
    """The picture's path, as COCO's own archive lays it out."""
    return "val2014/" + str(doc["image"])
