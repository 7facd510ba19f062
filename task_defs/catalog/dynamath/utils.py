"""Rows and answers of DynaMath, by the rules of the authors' script (also in VLMEvalKit, `dynamath.py`)."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_INSTRUCTIONS = {
    "multiple choice": "Provide the corresponing choice option in the 'short answer' key, "
    "such as 'A', 'B', 'C', or 'D'.",
    "float": "Format the answer as a three-digit floating-point number and provide it in the 'short answer' key.",
}
_OTHERWISE = "Float numbers in the answer should be formatted as three-digit floating-point numbers."
_LETTERS = "ABCDE"


def variants(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """Adds `variant_id` ("12-3": the third variant of seed question 12) and the instruction of the answer's type."""
    seen: Counter[str] = Counter()
    for doc in docs:
        seed = str(doc["id"])
        seen[seed] += 1
        instruction = _INSTRUCTIONS.get(doc["answer_type"], _OTHERWISE)
        yield {**doc, "variant_id": f"{seed}-{seen[seed]}", "instruction": instruction}


def score(item: Any, text: str) -> dict[str, Any]:
    """Right or wrong: a float within 0.001, the letter of an option, or an answer that is part of the label."""
    answer = known(item, text)
    if answer is None:
        # Where nothing can be read the published rule still looks for the letter at the very beginning.
        right = item.doc["answer_type"] == "multiple choice" and str(item.target) in _json_part(text)[:3].upper()
        return {"score": float(right), "flags": ["no_answer"]}
    return compare(item, answer)


def known(item: Any, text: str) -> str | None:
    """The short answer of a response in JSON, or the response itself where it can be read as one."""
    kind = item.doc["answer_type"]
    answer = _read(_short_answer(text), kind)
    return _read(_json_part(text), kind) if answer is None else answer


def compare(item: Any, short: str) -> dict[str, Any]:
    """The same of a short answer alone."""
    kind, label = item.doc["answer_type"], str(item.target)
    answer = _read(short, kind)
    if answer is None:
        return {"score": 0.0, "flags": ["no_answer"]}
    if kind == "float":
        right = abs(float(answer) - float(label)) <= 0.001
    elif kind == "multiple choice":
        right = answer == label
    else:
        right = answer.lower() in label.lower()
    return {"score": float(right), "answer": answer}


def _json_part(text: str) -> str:
    start, end = text.find("{"), text.rfind("}")
    return (text[start : end + 1] if 0 <= start < end else text).replace("\\", "")


def _short_answer(text: str) -> str | None:
    try:
        found = json.loads(_json_part(text), strict=False)
    except ValueError:
        return None
    answer = found.get("short answer") if isinstance(found, dict) else None
    return None if answer is None else str(answer)


def _read(answer: str | None, kind: str) -> str | None:
    """The answer as its type wants it, or None; a float in full."""
    if answer is None or not answer.strip():
        return None
    if kind == "float":
        number = answer.split(" ")[0]
        try:
            value = float(number.split("\u03c0")[0]) * math.pi if "\u03c0" in number else float(number)
        except ValueError:
            return None
        return repr(value) if math.isfinite(value) else None
    if kind == "multiple choice":
        if len(answer) == 1:
            return answer.upper()
        named = [letter for letter in _LETTERS if letter in answer.upper()]
        return named[0] if len(named) == 1 else None
    return answer
