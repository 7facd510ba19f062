"""Which item an answer of a log belongs to, and whether log and items are of the same data set version."""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eval_assets.pipeline.import_spool import Spooled
from eval_assets.pipeline.importers import ImportRefused
from eval_assets.pipeline.importers.base import as_text
from eval_assets.pipeline.ingest import items_of
from eval_assets.pipeline.questions import COLUMNS, Question, question
from resources.store import Store
from task_defs import TaskDef

WAYS = "id, row, question or field:NAME"
# Fields that hold a benchmark's question, the likeliest first.
_QUESTIONS = ("question", "query", "problem", "instruction", "prompt", "text", "input")
_NONE = -1
_SPACE = re.compile(r"\s+")
_PICTURE = re.compile(r"<(image|video|audio)[ _]?\d*>|\[(image|video|audio)[ _]?\d*\]", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?")


@dataclass
class Match:
    """Answers put to items, one way of doing so.

    positions: of each answer's item, -1 for none. agree, differ: per kind of evidence, the answers where log and
    item say the same and where they do not. mismatched: numbers of the answers that differ, with how.
    """

    way: str
    positions: array[int]
    matched: int
    agree: dict[str, int] = field(default_factory=dict)
    differ: dict[str, int] = field(default_factory=dict)
    mismatched: dict[int, str] = field(default_factory=dict)

    @property
    def checked(self) -> bool:
        """Whether the log says anything that ours can be compared with."""
        return bool(self.agree or self.differ)

    @property
    def contradicted(self) -> bool:
        """Whether nothing that the log says of its items agrees with ours."""
        return bool(self.differ) and not self.agree


class Items:
    """The task's items as a log may name them; ids and hashes of questions in memory, 100 bytes an item."""

    def __init__(self, store: Store, task: TaskDef) -> None:
        self.task, self._table = task, items_of(store, task).pin()
        self.ids: list[str] = [row["item_id"] for batch in self._table.batches(["item_id"]) for row in batch]

    def places(self, way: str) -> Mapping[str, int]:
        """Key -> position. Raises ImportRefused where two items share a key of a field that was asked for."""
        if way == "id":
            return {item_id: position for position, item_id in enumerate(self.ids)}
        name, found = way.removeprefix("field:"), dict[str, int]()
        for position, keys in self._keys(None if way == "question" else name):
            for key in keys:
                if found.setdefault(key, position) != position:
                    if way != "question":
                        raise ImportRefused(
                            f"two items of {self.task.task} have the same {name!r}: it cannot tell answers apart"
                        )
                    found[key] = _NONE  # two pictures may have one question
        return found

    def _keys(self, name: str | None) -> Iterator[tuple[int, set[str]]]:
        """Position and keys of each item: the values of a field, or (None) its question, bare and as it is asked."""
        position = 0
        for batch in self._table.batches(COLUMNS):
            for row in batch:
                if name is None:
                    asked = question(self.task, row)
                    yield position, {digest_of(text) for text in (_asked(asked.item.doc), _prompt(asked)) if text}
                else:
                    value = json.loads(row["doc"]).get(name)
                    yield position, set() if value is None else {as_text(value)}
                position += 1

    def questions(self, positions: set[int]) -> dict[int, Question]:
        """These items as they are asked now, by position."""
        order = sorted(positions)
        rows = self._table.take(order, COLUMNS)
        return {p: question(self.task, row) for p, row in zip(order, rows, strict=True)}


def best_match(items: Items, spooled: Spooled, ways: tuple[str, ...], *, check: bool) -> Match:
    """The first way by which all answers find an item that the log's words agree with, else the one that does best."""
    tried: list[Match] = []
    for way in ways:
        found = _matched(items, spooled, way)
        if found is None or (not found.matched and tried):
            continue
        if check and found.matched:
            _compare(items, spooled, found)
        tried.append(found)
        if found.matched == spooled.rows and not found.mismatched and not found.contradicted:
            break
    return max(tried, key=lambda m: (not m.contradicted, m.matched - len(m.mismatched)))


def _matched(items: Items, spooled: Spooled, way: str) -> Match | None:
    """None where this way says nothing about this log."""
    if way == "counted" and not spooled.counted:
        return None
    places = {} if way in ("row", "counted") else items.places(way)
    positions, matched = array("q"), 0
    for batch in spooled.batches():
        for row in batch:
            position = _position(row, way, places, len(items.ids))
            positions.append(position)
            matched += position != _NONE
    return Match(way, positions, matched)


def _position(row: dict[str, Any], way: str, places: Mapping[str, int], count: int) -> int:
    if way in ("row", "counted"):
        number = row["row"] if way == "row" else int(row["id"]) - 1
        return number if number is not None and 0 <= number < count else _NONE
    key = row["id"] if way == "id" else row["question"] and digest_of(row["question"]) if way == "question" else None
    if way.startswith("field:"):
        key = row["field"]
    return places.get(key, _NONE) if key is not None else _NONE


def _compare(items: Items, spooled: Spooled, match: Match) -> None:
    """What the log says of each item against what ours says.

    A kind of evidence that agrees nowhere is written another way in the log (an index for a letter, a picture in
    the hash of a row): it counts against the match only where no other kind agrees either.
    """
    found: dict[str, dict[int, str]] = {}
    number = 0
    for batch in spooled.batches():
        ours = items.questions({p for p in match.positions[number : number + len(batch)] if p != _NONE})
        for row in batch:
            position = match.positions[number]
            if position != _NONE:
                for kind, difference in _differences(row, ours[position]).items():
                    if difference is None:
                        match.agree[kind] = match.agree.get(kind, 0) + 1
                    else:
                        match.differ[kind] = match.differ.get(kind, 0) + 1
                        found.setdefault(kind, {})[number] = difference
            number += 1
    for kind in found:
        if kind in match.agree or match.contradicted:
            match.mismatched |= found[kind]


def _differences(row: dict[str, Any], ours: Question) -> dict[str, str | None]:
    """Kind of evidence -> None where both say the same, else what they say."""
    found: dict[str, str | None] = {}
    if row["question"]:
        found["question"] = None if same_question(row["question"], ours) else f"it asks {_short(row['question'])}"
    if row["target"] and ours.item.target is not None:
        same = same_target(row["target"], ours.item.target, ours.item.choices)
        said = " or ".join(row["target"])
        found["target"] = None if same else f"its target is {_short(said)}, ours {_short(str(ours.item.target))}"
    if row["doc_hash"] and not ours.item.media:
        same = row["doc_hash"] == row_hash(ours.item.doc)
        found["row"] = None if same else "its row has other fields or values"
    return found


def same_question(theirs: str, ours: Question) -> bool:
    """Whether a log's question, or its whole prompt, is about our item: one holds the other, spaces apart."""
    said = plain_text(theirs)
    bare = _asked(ours.item.doc)
    if bare and plain_text(bare) in said:
        return True
    prompt = plain_text(_prompt(ours))
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
    return hashlib.blake2b(plain_text(text).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _asked(doc: Mapping[str, Any]) -> str | None:
    """The field that holds the question, by its usual names."""
    return next((doc[name] for name in _QUESTIONS if isinstance(doc.get(name), str) and doc[name].strip()), None)


def _prompt(asked: Question) -> str:
    return " ".join(str(value) for m in asked.messages for kind, value in m.parts if kind == "text")


def _short(text: str) -> str:
    text = _SPACE.sub(" ", text).strip()
    return repr(text if len(text) <= 60 else text[:60] + "…")
