"""What guessing scores, exactly, a guesser to check it with, and one who looks only for a moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from resources.rooms.draw import Draw
from resources.rooms.scene import Scene

GLANCE = 5.0  # seconds: one look around, from the first stop


def guess_levels(rows: Sequence[dict[str, Any]]) -> list[float]:
    """Expected score of a guess for each row: 1 / options, or, of a number, the mean relative accuracy of a label
    drawn from all those of its question type, which is what a model could know without a picture."""
    from judges import get_judge

    judge, pools = get_judge("mra"), _pools(rows)

    def level(row: dict[str, Any]) -> float:
        if row["options"]:
            return 1 / len(row["options"])
        pool = pools[row["question_type"]]
        item = {"target": row["ground_truth"], "choices": None, "doc": {}}
        return sum(judge.judge(item, label).score or 0.0 for label in pool) / len(pool)

    return [level(row) for row in rows]


def answer_at_random(rows: Sequence[dict[str, Any]], seed: str) -> Iterator[str]:
    """A letter or a label of the same question type for each row: its expected score is the row's guess level."""
    draw, pools = Draw(seed), _pools(rows)
    for row in rows:
        yield draw.one(row["options"])[0] if row["options"] else draw.one(pools[row["question_type"]])


def seen_at_a_glance(scene: Scene, question: str) -> bool:
    """Whether all that the question names has been seen in the video's first GLANCE seconds."""
    named = (thing for thing in scene.things if thing.name in question)
    return all(thing.first_seen is not None and thing.first_seen <= GLANCE for thing in named)


def _pools(rows: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """question type -> all its labels that are numbers."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if not row["options"]:
            found[row["question_type"]].append(row["ground_truth"])
    return found
