"""Rows and answers of MathVista."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from judges.extract import boxed, stated_answer
from judges.numerals import find_numbers
from judges.options import find_choice

_LIFTED = ("category", "task", "context", "grade", "source", "skills")


def flat(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`picture` is the medium (on the hub its bytes, in the files its path); what `metadata` says become fields."""
    for doc in docs:
        about = doc.pop("metadata", None) or {}
        picture = doc.pop("decoded_image", None) or doc.get("image")
        yield {**doc, "picture": picture, **{name: about.get(name) for name in _LIFTED}}


def score(item: Any, text: str) -> dict[str, Any]:
    """The answer found by rules, in the form of the label (whole, rounded, a list), equal to it."""
    answer = _answer(item, text)
    if answer is None:
        return {"score": 0.0, "flags": ["no_answer"]}
    return {"score": float(answer == str(item.target).strip()), "answer": answer}


def known(item: Any, text: str) -> str | None:
    """What a response is by itself, so that no model need extract it: an option's text, or a number."""
    if item.doc["question_type"] == "multi_choice":
        return text if text in item.choices else None
    number = {"integer": int, "float": float}.get(item.doc["answer_type"])
    try:
        return None if number is None else str(number(text))
    except ValueError:
        return None


def compare(item: Any, extraction: str) -> dict[str, Any]:
    """What a model extracted, brought into the form of the label as the authors' script does, equal to it."""
    answer = _normalised(item, extraction.strip())
    if answer is None:
        return {"score": 0.0, "flags": ["no_answer"]}
    return {"score": float(answer == str(item.target).strip()), "answer": answer}


def _normalised(item: Any, extraction: str) -> str | None:
    doc = item.doc
    if doc["question_type"] == "multi_choice":
        named = re.search(r"\(([a-zA-Z])\)", extraction)
        letter = named[1].upper() if named else extraction
        place = ord(letter) - ord("A") if len(letter) == 1 else -1
        if 0 <= place < len(item.choices):
            return str(item.choices[place])
        return str(min(item.choices, key=lambda choice: Levenshtein.distance(letter, choice)))
    try:
        if doc["answer_type"] == "integer":
            return str(int(float(extraction)))
        if doc["answer_type"] == "float":
            return str(round(float(extraction), int(doc["precision"] or 0)))
    except (ValueError, OverflowError):
        return None
    return extraction


def _answer(item: Any, text: str) -> str | None:
    doc = item.doc
    parts = [*reversed(boxed(text)), stated_answer(text), text]
    if doc["question_type"] == "multi_choice":
        letters = (find_choice(part, item.choices) for part in parts if part)
        letter = next((found for found in letters if found), None)
        return None if letter is None else item.choices[ord(letter) - ord("A")]
    if doc["answer_type"] == "list":
        return next((found for part in parts if part and (found := _list(part))), None)
    numbers = (_number(part) for part in parts if part)
    number = next((value for value in numbers if value is not None), None)
    if number is None:
        return None
    # int() cuts off and round() takes the even neighbour of a half: the authors' script does, too.
    return str(int(number)) if doc["answer_type"] == "integer" else str(round(number, int(doc["precision"] or 0)))


def _number(text: str) -> float | None:
    found = list(find_numbers(text))
    return float(found[-1].value) if found else None


def _list(text: str) -> str | None:
    start, end = text.rfind("["), text.rfind("]")
    return text[start : end + 1] if 0 <= start < end else None
