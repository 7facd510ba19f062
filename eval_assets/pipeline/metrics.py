"""A task's metrics, resolved against what its judge offers, and estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.item_scores import ItemScores
from eval_assets.pipeline.judge_models import task_judge
from judges import Metric
from stats import (
    Estimate,
    PairedDifference,
    mean_estimate,
    minimum_detectable_effect,
    paired_difference,
    paired_ratio_difference,
    ratio_estimate,
    stratified_estimate,
    variance_components,
)
from task_defs import TaskDef

if TYPE_CHECKING:
    import numpy as np


class UnknownMetric(ValueError):
    """The task asks for a metric that its judge does not offer."""


@dataclass(frozen=True, slots=True)
class TaskMetric:
    """A metric under the name the task gives it. macro_over: a plain mean over this field's values."""

    name: str
    metric: Metric
    macro_over: str | None = None
    higher_is_better: bool = True

    @property
    def aggregation(self) -> str:
        kind = "ratio of sums" if self.metric.kind == "ratio" else "mean"
        return f"{kind}, macro over {self.macro_over}" if self.macro_over else kind


def task_metrics(task: TaskDef) -> list[TaskMetric]:
    """The task's metrics, the primary one first; without a metric_list, the judge's own."""
    offered = {m.name: m for m in task_judge(task).metrics}
    if not task.metric_list:
        return [TaskMetric(m.name, m, None, m.higher_is_better) for m in offered.values()]
    found = []
    for spec in task.metric_list:
        if spec.metric not in offered:
            raise UnknownMetric(
                f"task {task.task}: judge {task.judge['name']!r} offers {', '.join(offered)}, not {spec.metric!r}"
            )
        metric = offered[spec.metric]
        better = metric.higher_is_better if spec.higher_is_better is None else spec.higher_is_better
        found.append(TaskMetric(spec.name, metric, spec.macro_over, better))
    return found


def estimate(metric: TaskMetric, scores: ItemScores, level: float = 0.95) -> Estimate:
    """The metric with its interval, by the estimator that its kind asks for."""
    if metric.macro_over:
        scores = scores.take(_in_a_category(metric.macro_over, scores))
    top, bottom = scores.parts(metric.metric)
    if metric.macro_over:
        strata = scores.by[metric.macro_over]
        return stratified_estimate(top, strata, scores.clusters, denominator=bottom, level=level)
    if bottom is not None:
        return ratio_estimate(top, bottom, scores.clusters, level=level)
    return mean_estimate(top, scores.clusters, level=level)


def difference(
    metric: TaskMetric, a: ItemScores, b: ItemScores, *, level: float = 0.95, margin: float | None = None
) -> PairedDifference:
    """a minus b on the same items in the same order. Where less is better, a margin is one of more."""
    found = _difference(metric, a, b, level, margin)
    if margin is None or metric.higher_is_better:
        return found
    turned = _difference(metric, b, a, level, margin)
    return replace(found, p_noninferior=turned.p_noninferior, p_equivalent=turned.p_equivalent)


def _difference(
    metric: TaskMetric, a: ItemScores, b: ItemScores, level: float, margin: float | None
) -> PairedDifference:
    import numpy as np

    if metric.macro_over:
        rows = _in_a_category(metric.macro_over, a)
        a, b = a.take(rows), b.take(rows)
    top_a, bottom_a = a.parts(metric.metric)
    top_b, bottom_b = b.parts(metric.metric)
    if bottom_a is None and not metric.macro_over:
        return paired_difference(top_a, top_b, a.clusters, level=level, margin=margin)
    strata = a.by[metric.macro_over] if metric.macro_over else None
    ones = np.ones(len(top_a))
    return paired_ratio_difference(
        top_a, ones if bottom_a is None else bottom_a, top_b, ones if bottom_b is None else bottom_b,
        a.clusters, strata=strata, level=level, margin=margin,
    )  # fmt: skip


def detectable(metric: TaskMetric, a: ItemScores, b: ItemScores, found: Mapping[str, Any]) -> dict[str, Any]:
    """What so many pairs could have shown: `detectable`, the true difference that they detect with 80 % power in a
    two-sided test at 5 %, and `planning`, the variances that `stats.sample_size` takes.

    found: the difference of the two. A plain mean's variance is split into items and clusters; another metric's
    comes from its standard error, clusters included. NaN and None where nothing varies or could be estimated.
    """
    planning: dict[str, Any] | None = None
    if metric.metric.kind == "mean" and not metric.macro_over:
        components = variance_components(a.parts(metric.metric)[0], a.clusters, baseline=b.parts(metric.metric)[0])
        planning = components.planning() if components.total > 0 else None
    elif found["se"] > 0:
        planning = {"omega2": found["n"] * found["se"] ** 2}
    return {
        "planning": planning,
        "detectable": minimum_detectable_effect(found["n"], **planning) if planning else float("nan"),
    }


def _in_a_category(field: str, scores: ItemScores) -> np.ndarray:
    """(n,) whether the item has a value of the field: having none is no category of its own."""
    return scores.by[field] != ""  # type: ignore[no-any-return]


def metric_fields(metric: TaskMetric, scores: ItemScores) -> dict[str, Any]:
    """The estimate as a report shows it, coverage beside it."""
    lowest, highest = bounds(metric, scores)
    return {
        **asdict(estimate(metric, scores)),
        "coverage": scores.coverage,
        "lowest": lowest,
        "highest": highest,
        "aggregation": metric.aggregation,
        "higher_is_better": metric.higher_is_better,
    }


def bounds(metric: TaskMetric, scores: ItemScores) -> tuple[float, float]:
    """The metric with every unscored sample at 0 and at 1.

    NaN where that cannot be said: ratios of sums, scores outside of 0 to 1, no items.
    """
    import numpy as np

    if metric.macro_over:
        scores = scores.take(_in_a_category(metric.macro_over, scores))
    values, bottom = scores.parts(metric.metric)
    known = values[~np.isnan(values)]
    if bottom is not None or not len(values) or (known < 0).any() or (known > 1).any():
        return float("nan"), float("nan")
    share = scores.scored / scores.samples
    low = np.where(share > 0, values, 0.0) * share  # scored without a value: the metric is not of this item
    rows = ~np.isnan(low)
    low, share = low[rows], share[rows]
    of = scores.by[metric.macro_over][rows] if metric.macro_over else np.zeros(len(low))
    ends = [(low[of == k].mean(), (low + 1 - share)[of == k].mean()) for k in sorted(set(of))]
    return (float(np.mean([e[0] for e in ends])), float(np.mean([e[1] for e in ends]))) if ends else (float("nan"),) * 2
