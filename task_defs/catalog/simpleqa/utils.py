"""SimpleQA: topic and kind of answer of each question, and the grader's letter."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_GRADES = {"A": "correct", "B": "incorrect", "C": "not_attempted"}
_WORDS = {"CORRECT": "correct", "INCORRECT": "incorrect", "NOT_ATTEMPTED": "not_attempted"}


def with_topic(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`metadata` is the text of a Python dictionary; two of its fields are categories."""
    for doc in docs:
        about = doc.pop("metadata", None) or {}
        known = ast.literal_eval(about) if isinstance(about, str) else about
        yield {**doc, "topic": known.get("topic"), "answer_type": known.get("answer_type")}


def grade(text: str) -> str:
    """The grade whose letter (or word) stands alone in the reply.

    The published parser takes the first A, B or C anywhere, the C of "CORRECT" too, and calls a reply without one not
    attempted. Raises ValueError for none and for several.
    """
    found = {_GRADES[letter] for letter in re.findall(r"(?<![A-Za-z_])[ABC](?![A-Za-z_])", text)}
    found |= {_WORDS[word] for word in re.findall(r"(?<![A-Z_])(?:NOT_ATTEMPTED|INCORRECT|CORRECT)(?![A-Z_])", text)}
    if len(found) != 1:
        raise ValueError(f"expected one of A, B, C, found {text[:80]!r}")
    return found.pop()
