"""Metrics that a task's own function computes from the results of all items (lmms-eval's aggregations)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from judges import Metric
from stats import (
    Estimate,
    PairedDifference,
    jackknife_difference,
    jackknife_estimate,
    jackknife_groups,
)

if TYPE_CHECKING:
    import numpy as np

    from eval_assets.pipeline.item_scores import ItemScores

# Aggregations round what they give: mmmu_acc to five decimals, others to four.
_ROUNDING = 1e-4


def is_mean(metric: Metric, scores: ItemScores) -> bool:
    """Whether the function gives here what the mean of the items' own values gives, so that it can be taken for one."""
    import numpy as np

    own = scores.combined(metric.numerator)
    known = own[~np.isnan(own)]
    if not len(known):
        return False
    value = _computed(metric, scores, [])[0]
    return math.isclose(value, float(known.mean()), rel_tol=_ROUNDING, abs_tol=_ROUNDING)


def aggregated_estimate(metric: Metric, scores: ItemScores, level: float) -> Estimate:
    """What the function gives for all scored items, with a jackknife over clusters of items."""
    scores = scores.take(_has(metric, scores))
    groups = jackknife_groups(len(scores.ids), scores.clusters)
    value, *replicates = _computed(metric, scores, groups)
    return jackknife_estimate(
        value, replicates, len(groups), n=len(scores.ids), n_clusters=_clusters(scores), level=level
    )  # fmt: skip


def aggregated_difference(
    metric: Metric, a: ItemScores, b: ItemScores, level: float, margin: float | None
) -> PairedDifference:
    """a minus b on the items that both have scored; the same ones are left out of both each time."""
    both = _has(metric, a) & _has(metric, b)
    a, b = a.take(both), b.take(both)
    groups = jackknife_groups(len(a.ids), a.clusters)
    (value_a, *without_a), (value_b, *without_b) = (_computed(metric, side, groups) for side in (a, b))
    return jackknife_difference(
        (value_a, value_b), (without_a, without_b), len(groups), n=len(a.ids), n_clusters=_clusters(a),
        level=level, margin=margin,
    )  # fmt: skip


def _has(metric: Metric, scores: ItemScores) -> np.ndarray:
    """(n,) whether the item has a result for this metric: MME's perception and cognition are of other items."""
    import numpy as np

    if scores.results is None:
        return np.full(len(scores.ids), False)
    return np.array([any(metric.name in json.loads(text) for text in texts) for texts in scores.results], dtype=bool)


def _clusters(scores: ItemScores) -> int:
    return len(scores.ids) if scores.clusters is None else len(set(scores.clusters.tolist()))


def _computed(metric: Metric, scores: ItemScores, groups: Sequence[Sequence[int]]) -> list[float]:
    """The value of all items and without each group, NaN where it is no number; shorter where time ran out."""
    assert metric.aggregate is not None
    if scores.results is None:
        return [math.nan]
    flat: list[str] = []
    places: list[range] = []
    for texts in scores.results:
        places.append(range(len(flat), len(flat) + len(texts)))
        flat.extend(texts)
    gone = [[place for item in group for place in places[item]] for group in groups]
    try:
        found = metric.aggregate(flat, gone)
    except RuntimeError:
        return [math.nan]
    return [float(value) if isinstance(value, int | float) else math.nan for value in found]
