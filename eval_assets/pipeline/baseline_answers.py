"""The other side of a pairwise judge: another checkpoint's stored answers to the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eval_assets.pipeline.cell import Cell, complete_outputs, find_checkpoint, plan_cell
from eval_assets.pipeline.questions import Question
from eval_assets.pipeline.registering import identify_checkpoint
from eval_assets.versions import request_key
from judges import Judge
from judges.llm_pairwise import BASELINE
from resources.models import ModelUnusable
from resources.models.reasoning import separated, whole
from resources.store import Store
from resources.store.outputs import response_of


class BaselineAnswers:
    """Adds each item's baseline answer to what the judge reads of the item.

    version: of the baseline's outputs. Raises ModelUnusable where it has not answered the task.
    """

    def __init__(self, store: Store, cell: Cell, checkpoint: str) -> None:
        self.other = plan_cell(store, identify_checkpoint(store, checkpoint), cell.task)
        record = complete_outputs(store, self.other)
        if record is None:
            raise ModelUnusable(
                f"{checkpoint}, the baseline of the judge of {cell.task.task}, has no complete answers to it: run "
                f"`evals run --checkpoint {checkpoint} --tasks {cell.task.task}` first"
            )
        self.version = str(record["version"])
        self._stored = self.other.outputs(store).lookup("item_id", "sample", "request_key")

    def items(self, batch: Sequence[Question]) -> list[Any]:
        """The items with the answer under the key that the judge looks at; one without it stays as it is."""
        other = self.other
        keys = [
            (q.item.id, 0, request_key(other.settings, q.whole, 0, q.item.id if other.by_item else None)) for q in batch
        ]
        found: dict[str, str] = {}
        for row in self._stored.find(keys):
            response = separated(whole(response_of(row)), other.reasoning_tags)
            if response.error is None:
                found.setdefault(row["item_id"], response.text)
        return [
            replace(q.item, doc={**q.item.doc, BASELINE: found[q.item.id]}) if q.item.id in found else q.item
            for q in batch
        ]


def baseline_of(judge: Judge) -> str | None:
    """The checkpoint that a pairwise judge compares with, or None."""
    found: str | None = getattr(judge.params, "baseline_checkpoint", None)
    return found


def baseline_version(store: Store, cell: Cell, judge: Judge) -> list[str]:
    """What the scores' key says of the other side; empty without one. "none" where it has not answered yet."""
    name = baseline_of(judge)
    if name is None:
        return []
    point = find_checkpoint(store, name)
    record = complete_outputs(store, plan_cell(store, point, cell.task)) if point.fingerprint else None
    return [str(record["version"]) if record else "none"]
