"""Rows of HellaSwag, their texts prepared as the LM Evaluation Harness prepares them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def prepared(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`query`: the activity and both parts of the scene; `label`: the index of the ending, null where it has none."""
    for doc in docs:
        scene = f"{doc['activity_label']}: {doc['ctx_a']} {doc['ctx_b'].capitalize()}"
        yield {
            "query": _clean(scene),
            "endings": [_clean(ending) for ending in doc["endings"]],
            "label": int(doc["label"]) if str(doc["label"]) else None,
            "source_id": doc["source_id"],
            "split_type": doc["split_type"],
        }


def _clean(text: str) -> str:
    """Without what WikiHow's markup left: [title], [step] and doubled spaces."""
    text = re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". "))
    return text.replace("  ", " ")
