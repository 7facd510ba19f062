"""What one checkpoint got right and the other wrong, and the reverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eval_assets.pipeline.comparing import compare_cells, pair
from eval_assets.pipeline.item_scores import load_item_scores
from resources.store import Store
from task_defs import TaskDef


@dataclass(frozen=True)
class Flips:
    """better: items on which a scores higher than b, worse: lower, the largest differences first.

    same: how many score alike; lacking: items without a score on one of the sides. entry: the paired
    comparison of the primary metric.
    """

    better: list[str]
    worse: list[str]
    same: int
    lacking: int
    entry: dict[str, Any]


def flips(store: Store, task: TaskDef, a: str, b: str) -> Flips:
    """Raises NotScored and NotComparable."""
    left, right = (load_item_scores(store, name, task.task, fields=()) for name in (a, b))
    rows_a, rows_b = pair(left, right, f"{a} and {b} on {task.task}")
    left, right = left.take(rows_a), right.take(rows_b)
    difference = left.values["score"] - right.values["score"]
    lacking = int(np.isnan(difference).sum())
    return Flips(
        _most(left.ids, difference), _most(left.ids, -difference), int((difference == 0).sum()), lacking,
        compare_cells(store, task, a, b)[0],
    )  # fmt: skip


def _most(ids: np.ndarray, difference: np.ndarray) -> list[str]:
    above = np.flatnonzero(difference > 0)  # NaN is not above
    return [str(i) for i in ids[above[np.argsort(-difference[above], kind="stable")]]]
