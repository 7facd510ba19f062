"""Rows of HallusionBench."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from judges.reply import Unreadable
from judges.verdict import Verdict

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


def graded(item: Any, said: str) -> dict[str, Any] | Verdict:
    """A grade as the authors count it. Of a question of the category VS without a figure, not to know is right."""
    text = said.lower()
    unclear = "unclear" in text and "correct" not in text
    if not unclear and "correct" not in text:
        return Verdict.not_scored(str(Unreadable.no_verdict(said, "correct, incorrect or unclear")))
    forgiven = item.doc["category"] == "VS" and str(item.doc["figure_id"]) == "0"
    right = forgiven if unclear else "incorrect" not in text
    return {"score": float(right), "unclear": float(unclear)}
