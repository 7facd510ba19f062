"""What a log says of an item against what ours says: questions, labels and hashes of rows, as pure functions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from eval_assets.pipeline.questions import Question

# Fields that hold a benchmark's question, the likeliest first.
_QUESTIONS = ("question", "query", "problem", "instruction", "prompt", "text", "input")
_SPACE = re.compile(r"\s+")
_PICTURE = re.compile(r"<(image|video|audio)[ _]?\d*>|\[(image|video|audio)[ _]?\d*\]", re.IGNORECASE)
_TITLE = re.compile(r"^(question|q) ?[:.] ?")
_NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?")


def differences(row: dict[str, Any], ours: Question) -> dict[str, str | None]:
    """Kind of evidence -> None where both say the same, else what they say."""
    found: dict[str, str | None] = {}
    if row["question"]:
        found["question"] = None if same_question(row["question"], ours) else f"it asks {shortened(row['question'])}"
    if row["target"] and ours.item.target is not None:
        same = same_target(row["target"], ours.item.target, ours.item.choices)
        said = " or ".join(row["target"])
        found["target"] = None if same else f"its target is {shortened(said)}, ours {shortened(str(ours.item.target))}"
    if row["doc_hash"] and not ours.item.media:
        same = row["doc_hash"] == row_hash(ours.item.doc)
        found["row"] = None if same else "its row has other fields or values"
    return found


def same_question(theirs: str, ours: Question) -> bool:
    """Whether a log's question, or its whole prompt, is about our item: one holds the other, spaces apart."""
    said = plain_text(theirs)
    bare = asked_in(ours.item.doc)
    if bare and plain_text(bare) in said:
        return True
    prompt = plain_text(prompt_of(ours))
    return bool(said) and (said in prompt or (bool(prompt) and prompt in said))


def same_target(theirs: list[str], ours: Any, choices: tuple[str, ...] | None) -> bool:
    """Whether a log's labels and ours have one in common, as text, number, letter, index or option."""
    wanted = {_label(value) for value in (ours if isinstance(ours, (list, tuple)) else [ours])}
    if isinstance(ours, (list, tuple)):
        wanted.add(_label(str(list(ours))))
    if isinstance(ours, bool):
        wanted.add("yes" if ours else "no")
    for index, option in enumerate(choices or ()):
        names = {_label(option), _label(index), chr(ord("a") + index)}
        if names & wanted:
            wanted |= names
            break
    return any(_label(value) in wanted for value in theirs)


def _label(value: Any) -> str:
    text = plain_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    return str(float(text.replace(",", ""))) if _NUMBER.fullmatch(text) else text.strip("().")


def row_hash(doc: Mapping[str, Any]) -> str:
    """SHA-256 of a row as `doc_hash` of the LM Evaluation Harness has it (lm_eval/evaluator.py)."""
    text = json.dumps(doc, indent=2, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def plain_text(text: str) -> str:
    """Without pictures' placeholders, runs of space and the case of letters."""
    return _SPACE.sub(" ", _PICTURE.sub(" ", text)).strip().casefold()


def digest_of(text: str) -> str:
    """Of a question's words, with or without `Question:` before them."""
    words = _TITLE.sub("", plain_text(text))
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def asked_in(doc: Mapping[str, Any]) -> str | None:
    """The field that holds the question, by its usual names."""
    return next((doc[name] for name in _QUESTIONS if isinstance(doc.get(name), str) and doc[name].strip()), None)


def prompt_of(asked: Question) -> str:
    return " ".join(str(value) for m in asked.messages for kind, value in m.parts if kind == "text")


def shortened(text: str) -> str:
    text = _SPACE.sub(" ", text).strip()
    return repr(text if len(text) <= 60 else text[:60] + "…")
