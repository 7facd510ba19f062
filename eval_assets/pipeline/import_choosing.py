"""Which of a log's answers are kept, and as which sample of their item."""

from __future__ import annotations

from dataclasses import dataclass, field

from eval_assets.pipeline.import_matching import Match
from eval_assets.pipeline.import_spool import Spooled

DUPLICATES = ("refuse", "first", "last", "samples")


@dataclass
class Chosen:
    """numbers: number of a kept answer -> position of its item, and sample.

    identical: rows that repeat an answer word for word. replaced: rows that gave way to others.
    conflicts: positions of items with two answers to one sample, where that is refused.
    """

    numbers: dict[int, tuple[int, int]] = field(default_factory=dict)
    identical: int = 0
    replaced: int = 0
    conflicts: dict[int, None] = field(default_factory=dict)


def choose(spooled: Spooled, match: Match, duplicates: str) -> Chosen:
    """Put each answer that is not left out to a sample of its item.

    duplicates: for a second answer to the same sample: `samples` (it is a further one), `first`, `last` or `refuse`.
    Whatever it says, the same answer again is one answer, and an answer goes before an error.
    """
    chosen = Chosen()
    held: dict[tuple[int, int], tuple[int, int | None]] = {}  # (position, sample) -> number, hash of the text
    counts: dict[int, int] = {}
    number = -1
    for batch in spooled.batches():
        for row in batch:
            number += 1
            position = match.positions[number]
            if position < 0 or number in match.mismatched:
                continue
            said = None if row["text"] is None else hash(row["text"])
            counted = row["sample"] is None
            sample = counts.get(position, 0) if counted and duplicates == "samples" else row["sample"] or 0
            there = held.get((position, sample))
            if there is not None:
                keeps = _second(chosen, there[1], said, position, duplicates)
                if keeps == "further":
                    sample = counts[position]
                elif keeps == "old":
                    continue
                else:
                    del chosen.numbers[there[0]]
            held[position, sample] = (number, said)
            counts[position] = max(counts.get(position, 0), sample + 1)
            chosen.numbers[number] = (position, sample)
    return chosen


def _second(chosen: Chosen, there: int | None, said: int | None, position: int, duplicates: str) -> str:
    """What becomes of a second answer to one sample: old, new or further."""
    if there == said:
        chosen.identical += 1
        return "old"
    if there is None or said is None:
        chosen.replaced += 1
        return "new" if there is None else "old"
    if duplicates == "samples":
        return "further"
    if duplicates == "refuse":
        chosen.conflicts[position] = None
        return "old"
    chosen.replaced += 1
    return "new" if duplicates == "last" else "old"
