"""Which item an answer of a log belongs to, and whether log and items are of the same data set version."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eval_assets.pipeline.import_evidence import asked_in, differences, digest_of, prompt_of
from eval_assets.pipeline.import_spool import Spooled
from eval_assets.pipeline.importers import ImportRefused
from eval_assets.pipeline.importers.base import as_text
from eval_assets.pipeline.ingest import items_of
from eval_assets.pipeline.questions import COLUMNS, Question, question
from resources.store import Store
from task_defs import TaskDef

WAYS = "id, row, question or field:NAME"
_NONE = -1
_LINES = 40  # of a prompt that may be the question


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
                    yield position, {digest_of(text) for text in (asked_in(asked.item.doc), prompt_of(asked)) if text}
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
    if way == "question":
        return _by_question(row["question"], places) if row["question"] else _NONE
    key = row["id"] if way == "id" else row["field"]
    return places.get(key, _NONE) if key is not None else _NONE


def _by_question(text: str, places: Mapping[str, int]) -> int:
    """The item whose question a text is, or which is the only one that has some of its lines as its question."""
    position = places.get(digest_of(text))
    if position is not None:
        return position
    lines = [line for line in text.splitlines() if line.strip()][-_LINES:]
    parts = {"\n".join(part) for i in range(len(lines)) for part in (lines[: i + 1], lines[i:], lines[i : i + 1])}
    found = {places[key] for key in map(digest_of, parts) if key in places}
    return found.pop() if len(found) == 1 else _NONE


def _compare(items: Items, spooled: Spooled, match: Match) -> None:
    """What the log says of each item against what ours says.

    A kind of evidence that agrees nowhere is written another way in the log (an index for a letter, a picture in
    the hash of a row): it counts against the match only where no other kind agrees either. Of questions that is
    believed only where all else agrees throughout: labels such as "yes" agree by chance.
    """
    found: dict[str, dict[int, str]] = {}
    number = 0
    for batch in spooled.batches():
        ours = items.questions({p for p in match.positions[number : number + len(batch)] if p != _NONE})
        for row in batch:
            position = match.positions[number]
            if position != _NONE:
                for kind, difference in differences(row, ours[position]).items():
                    if difference is None:
                        match.agree[kind] = match.agree.get(kind, 0) + 1
                    else:
                        match.differ[kind] = match.differ.get(kind, 0) + 1
                        found.setdefault(kind, {})[number] = difference
            number += 1
    throughout = not any(kind in match.differ for kind in match.agree)
    for kind, those in found.items():
        if kind in match.agree or match.contradicted or (kind == "question" and not throughout):
            match.mismatched = those | match.mismatched


def unmatched(spooled: Spooled, match: Match, most: int) -> list[str]:
    """The first answers that found no item, each once, as the log calls them."""
    found: dict[str, None] = {}
    number = 0
    for batch in spooled.batches():
        for row in batch:
            if match.positions[number] < 0:
                found[_named(row, match.way)] = None
                if len(found) == most:
                    return list(found)
            number += 1
    return list(found)


def _named(row: dict[str, Any], way: str) -> str:
    given = {"row": row["row"], "question": row["question"], "id": row["id"], "counted": row["id"]}.get(
        way, row["field"]
    )
    return row["where"] if given is None else str(given)[:80]


def said(way: str) -> str:
    """How items were found, in words."""
    names = {"id": "item id", "row": "row number", "question": "the text of the question"}
    names["counted"] = "row number (its ids count from 1)"
    return names.get(way, f"the items' field {way.removeprefix('field:')!r}")
