"""Stored episodes as they went: each step with what was seen, said and done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.pipeline.episodes import step_media_of
from eval_assets.pipeline.item_scores import stored_scores
from resources.store import Store
from resources.store.media import MediaTable
from resources.store.outputs import OutputsTable
from resources.store.steps import StepsTable
from resources.store.tables import one_of


@dataclass(frozen=True)
class Step:
    """One turn. asked: the words of the last message; picture: the hash of the medium that it shows, "" without one.

    action: None where the answer held none. info: what the player noted beside it.
    """

    number: int
    asked: str
    picture: str
    answer: str
    reasoning: str
    action: str | None
    reward: float | None
    info: dict[str, Any]


@dataclass(frozen=True)
class Replay:
    """An episode. score: None where it is unscored, for the reason in `unscored`; end: `success`, or why it failed."""

    item_id: str
    sample: int
    score: float | None
    end: str
    unscored: str
    steps: list[Step]

    @property
    def filmed(self) -> bool:
        """Whether there is anything to look at."""
        return any(step.picture for step in self.steps)

    @property
    def said(self) -> str:
        """How it ended, in words."""
        return self.end.replace("_", " ") if self.score is not None else f"unscored: {self.unscored}"


class Replays:
    """The episodes of a cell as they are scored now. Raises NotScored."""

    def __init__(self, store: Store, checkpoint: str, task: str, variant: str = "") -> None:
        fingerprint = find_checkpoint(store, checkpoint).fingerprint or ""
        self._scores = stored_scores(store, checkpoint, task, variant)
        self._steps = StepsTable(store.table("steps", task, fingerprint))
        self._answers = OutputsTable(store.table("outputs", task, fingerprint)).lookup("item_id", "sample")
        self.media: MediaTable = step_media_of(store, task)

    def of(self, item_id: str) -> list[Replay]:
        """The item's episodes, one a sample; [] for an item that has none."""
        columns = ["item_id", "sample", "request_key", "score", "answer", "unscored"]
        rows = self._scores.to_table(columns=columns, filter=one_of("item_id", [item_id])).to_pylist()
        return [self._replay(row) for row in sorted(rows, key=lambda row: row["sample"])]

    def _replay(self, row: dict[str, Any]) -> Replay:
        item_id, sample = row["item_id"], row["sample"]
        answers = {(a["step"], a["request_key"]): a for a in self._answers.find([(item_id, sample)])}
        steps = [
            _step(step, answers.get((step["step"], step["request_key"]), {}))
            for step in self._steps.of(item_id, sample, row["request_key"])
        ]
        return Replay(item_id, sample, row["score"], row["answer"] or "", row["unscored"] or "", steps)


def _step(row: dict[str, Any], answer: dict[str, Any]) -> Step:
    messages = json.loads(row["messages"])
    last = messages[-1][1] if messages else []
    shown = [value for kind, value in last if kind == "media"]
    return Step(
        number=row["step"],
        asked="".join(str(value) for kind, value in last if kind == "text").strip(),
        picture=row["media"][shown[-1]] if shown else "",
        answer=answer.get("text") or "",
        reasoning=answer.get("reasoning") or "",
        action=row["action"],
        reward=row["reward"],
        info=json.loads(row["info"] or "{}"),
    )
