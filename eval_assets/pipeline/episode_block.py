"""What a report says of a cell's episodes as such: how they ended, and how many steps they took."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from eval_assets.pipeline.cell import Cell
from eval_assets.pipeline.scoring import scores_of
from resources.store import Store
from resources.store.tables import open_table

SUCCESS, UNSCORED = "success", "unscored"


def episode_block(store: Store, cell: Cell) -> dict[str, Any] | None:
    """ends: how many episodes ended in which way, `success`, a failure's kind, or `unscored`; steps: [number of
    requests, episodes that succeeded after so many, others]. JSON-able; None for a task of questions.
    """
    if cell.task.episode is None:
        return None
    scores = scores_of(store, cell.checkpoint.key, cell.task.task, cell.variant.id).dataset()
    outputs = open_table(cell.outputs(store).uri)
    if scores is None or outputs is None:
        return None
    ends: Counter[str] = Counter()
    wanted = {}
    for row in scores.to_table(columns=["item_id", "sample", "request_key", "answer", "score"]).to_pylist():
        end = UNSCORED if row["score"] is None else row["answer"]
        ends[end] += 1
        wanted[row["item_id"], row["sample"], row["request_key"]] = end
    steps: dict[int, list[int]] = {}
    columns = ["item_id", "sample", "request_key", "text"]
    for row in outputs.to_table(columns=columns, filter="step = 0 AND error_kind IS NULL").to_pylist():
        end = wanted.pop((row["item_id"], row["sample"], row["request_key"]), None)
        if end is not None:
            counts = steps.setdefault(int(json.loads(row["text"])["steps"]), [0, 0])
            counts[end != SUCCESS] += 1
    return {"ends": dict(ends.most_common()), "steps": [[number, *steps[number]] for number in sorted(steps)]}
