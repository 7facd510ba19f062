"""LLaVA-Bench (in the wild): questions with what the judge is told beside them, and the pair of scores it gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def with_references(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """Adds `context` (what people wrote of the picture) and `reference` (GPT-4's answer from that)."""
    contexts = {row["image"]: row["caption"] for row in _rows(root / "context.jsonl")}
    references = {row["question_id"]: row["text"] for row in _rows(root / "answers_gpt4.jsonl")}
    for doc in docs:
        caption = contexts.get(doc["image"], "")
        yield {
            **doc,
            "picture": doc["image"],
            "image": f"images/{doc['image']}",
            "context": "\n".join(caption) if isinstance(caption, list) else caption,
            "reference": references.get(doc["question_id"]),
        }


def _rows(file: Path) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def pair(text: str) -> dict[str, float]:
    """The two numbers of the first line, "8 6" or "8, 6": the reference's score and the model's, from 1 to 10.

    As `parse_score` of LLaVA's `eval_gpt_review_bench.py`, which takes (-1, -1) where there are no two numbers; here
    that is no verdict. Raises ValueError.
    """
    first = text.split("\n", 1)[0].replace(",", " ").split()
    if len(first) != 2:
        raise ValueError(f"expected two scores in the first line, found {' '.join(first)[:80]!r}")
    reference, model = (float(word) for word in first)
    if not (1 <= reference <= 10 and 1 <= model <= 10):
        raise ValueError(f"expected two scores from 1 to 10, found {reference:g} and {model:g}")
    return {"score": model / 10, "model": model, "reference": reference}
