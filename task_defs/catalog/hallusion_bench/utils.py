"""Rows of HallusionBench."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ANSWERS = {"0": "no", "1": "yes"}
_KINDS = {"0": "no figure", "1": "original figure", "2": "manipulated figure"}


def groups(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """What groups the questions: `set`, `pair` (a question on several figures), `figure` (null: in no group)."""
    for doc in docs:
        of = "_".join((doc["category"], doc["subcategory"], str(doc["set_id"])))
        figure = str(doc["figure_id"])
        no_group = doc["category"] == "VS" and figure == "0"
        yield {
            **doc,
            "id": f"{of}_{figure}_{doc['question_id']}",
            "set": of,
            "pair": f"{of}_{doc['question_id']}",
            "figure": None if no_group else f"{of}_{figure}",
            "kind": _KINDS[str(doc["visual_input"])],
            "answer": _ANSWERS.get(str(doc["gt_answer"])),
        }
