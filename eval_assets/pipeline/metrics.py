"""A task's metrics, resolved against what its judge offers, and estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.aggregated import aggregated_difference, aggregated_estimate, is_mean
from eval_assets.pipeline.item_scores import ItemScores
from eval_assets.pipeline.judge_models import task_judge
from eval_assets.pipeline.units import strata_of, units_of
from judges import Metric
from stats import (
    Estimate,
    PairedDifference,
    corpus_estimate,
    mean_estimate,
    minimum_detectable_effect,
    paired_corpus_difference,
    paired_difference,
    paired_ratio_difference,
    pseudo_values,
    ratio_estimate,
    stratified_estimate,
    variance_components,
)
from task_defs import TaskDef
from task_defs.lmms_eval import is_lmms_eval

if TYPE_CHECKING:
    import numpy as np

SEED = 0  # of every bootstrap: the same scores give the same report


class UnknownMetric(ValueError):
    """The task asks for a metric that its judge does not offer."""


@dataclass(frozen=True, slots=True)
class TaskMetric:
    """A metric under the name the task gives it.

    macro_over: a plain mean over this field's values, or over those of several, one inside the other;
    worst_over: of groups that share this field's value;
    with_mean: a group's score is the mean of its worst member's and of its mean.
    """

    name: str
    metric: Metric
    macro_over: tuple[str, ...] = ()
    higher_is_better: bool = True
    worst_over: str | None = None
    with_mean: bool = False

    @property
    def aggregation(self) -> str:
        kind = {"mean": "mean", "ratio": "ratio of sums", "corpus": "statistic of the corpus",
                "aggregate": "the task's own function"}[self.metric.kind]  # fmt: skip
        worst = f" of the {'mean and the ' * self.with_mean}worst in each {self.worst_over}" if self.worst_over else ""
        return f"{kind}{worst}" + (f", macro over {' and '.join(self.macro_over)}" if self.macro_over else "")

    @property
    def plain(self) -> bool:
        """Whether it is the mean over items, all weighing alike."""
        return self.metric.kind == "mean" and not self.macro_over and not self.worst_over


def task_metrics(task: TaskDef) -> list[TaskMetric]:
    """The task's metrics, the primary one first; without a metric_list, the judge's own."""
    offered = {m.name: m for m in task_judge(task).metrics}
    if not task.metric_list:
        return [TaskMetric(m.name, m, (), m.higher_is_better) for m in offered.values()]
    found = []
    for spec in task.metric_list:
        if spec.metric not in offered:
            raise UnknownMetric(
                f"task {task.task}: judge {task.judge['name']!r} offers {', '.join(offered)}, not {spec.metric!r}"
            )
        metric = offered[spec.metric]
        if spec.worst_over and not (metric.kind == "mean" and list(metric.numerator.values()) == [1.0]):
            raise UnknownMetric(
                f"task {task.task}: {spec.name!r} asks for the worst in each {spec.worst_over}, and {spec.metric!r} "
                "has no score of an item by itself: worst_over goes with a mean, such as accuracy"
            )
        if metric.kind == "corpus" and len(spec.macro_over) > 1:
            raise UnknownMetric(
                f"task {task.task}: {spec.name!r} is a statistic of a corpus, which takes one field of macro_over, not "
                f"{', '.join(spec.macro_over)}"
            )
        if metric.kind == "aggregate" and spec.macro_over:
            raise UnknownMetric(
                f"task {task.task}: {spec.name!r} is what the task's own function makes of all items, which macro_over "
                f"cannot take apart by {', '.join(spec.macro_over)}"
            )
        better = metric.higher_is_better if spec.higher_is_better is None else spec.higher_is_better
        found.append(TaskMetric(spec.name, metric, spec.macro_over, better, spec.worst_over, spec.with_mean))
    return found


def estimate(metric: TaskMetric, scores: ItemScores, level: float = 0.95) -> Estimate:
    """The metric with its interval, by the estimator that its kind asks for."""
    if metric.metric.aggregate is not None and not is_mean(metric.metric, scores):
        return aggregated_estimate(metric.metric, scores, level)
    units = units_of(metric, scores).of(scores)
    strata, weights = strata_of(metric, units)
    if metric.metric.corpus is not None:
        sums = units.sums(metric.metric)
        return corpus_estimate(sums, metric.metric.corpus, units.clusters, strata=strata, seed=SEED, level=level)
    top, bottom = units.parts(metric.metric)
    own = own_unit(metric, scores)
    if strata is not None:
        return stratified_estimate(
            top, strata, units.clusters, denominator=bottom, weights=weights, level=level, own_unit=own
        )
    if bottom is not None:
        return ratio_estimate(top, bottom, units.clusters, level=level, own_unit=own)
    return mean_estimate(top, units.clusters, level=level, own_unit=own)


def columns(metric: TaskMetric, units: ItemScores) -> tuple[np.ndarray, np.ndarray | None]:
    """(u,) numerators and denominators of the units, or None for a mean; in strata, of each stratum.

    A statistic of the corpus has no such parts: its pseudo-values stand for them, to first order.
    """
    if metric.metric.corpus is None:
        return units.parts(metric.metric)
    strata, _ = strata_of(metric, units)
    return pseudo_values(units.sums(metric.metric), metric.metric.corpus, strata), None


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

    if metric.metric.aggregate is not None and not (is_mean(metric.metric, a) and is_mean(metric.metric, b)):
        return aggregated_difference(metric.metric, a, b, level, margin)
    units = units_of(metric, a)
    a, b = units.of(a), units.of(b)
    strata, weights = strata_of(metric, a)
    if metric.metric.corpus is not None:
        return paired_corpus_difference(
            a.sums(metric.metric), b.sums(metric.metric), metric.metric.corpus, a.clusters,
            strata=strata, seed=SEED, level=level, margin=margin,
        )  # fmt: skip
    top_a, bottom_a = a.parts(metric.metric)
    top_b, bottom_b = b.parts(metric.metric)
    if bottom_a is None and bottom_b is None and strata is None:
        own = own_unit(metric, a, b)
        return paired_difference(top_a, top_b, a.clusters, level=level, margin=margin, own_unit=own)
    ones = np.ones(len(top_a))
    return paired_ratio_difference(
        top_a, ones if bottom_a is None else bottom_a, top_b, ones if bottom_b is None else bottom_b,
        a.clusters, strata=strata, weights=weights, level=level, margin=margin,
    )  # fmt: skip


def detectable(metric: TaskMetric, a: ItemScores, b: ItemScores, found: Mapping[str, Any]) -> dict[str, Any]:
    """What so many pairs could have shown: `detectable`, the true difference that they detect with 80 % power in a
    two-sided test at 5 %, and `planning`, the variances that `stats.sample_size` takes.

    found: the difference of the two. A plain mean's variance is split into items and clusters; another metric's
    comes from its standard error, clusters included. NaN and None where nothing varies or could be estimated.
    """
    planning: dict[str, Any] | None = None
    if metric.plain:
        components = variance_components(a.parts(metric.metric)[0], a.clusters, baseline=b.parts(metric.metric)[0])
        planning = components.planning() if components.total > 0 else None
    elif found["se"] > 0:
        planning = {"omega2": found["n"] * found["se"] ** 2}
    return {
        "planning": planning,
        "detectable": minimum_detectable_effect(found["n"], **planning) if planning else float("nan"),
    }


def metric_fields(metric: TaskMetric, scores: ItemScores) -> dict[str, Any]:
    """The estimate as a report shows it, coverage beside it."""
    lowest, highest = bounds(metric, scores)
    return {
        **asdict(estimate(metric, scores)),
        "coverage": units_of(metric, scores).of(scores).coverage if metric.worst_over else scores.coverage,
        "lowest": lowest,
        "highest": highest,
        "aggregation": metric.aggregation,
        "higher_is_better": metric.higher_is_better,
        **({"own_unit": True} if own_unit(metric, scores) else {}),
    }


def marked(task: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the summary, which stores no unit, with `own_unit` where another harness' figure is no share of 1."""
    value = row["value"]
    other = is_lmms_eval(task) and value is not None and not 0 <= value <= 1
    return {**row, "own_unit": True} if other else dict(row)


def own_unit(metric: TaskMetric, *sides: ItemScores) -> bool:
    """Whether a metric is in a unit that is no share of 1: points, a sum, seconds.

    Where nothing says so (those of another harness), a mean of numbers from 0 to 1 is taken for a share, and what is no
    mean for a number of its own.
    """
    import numpy as np

    if metric.metric.own_scale is not None:
        return metric.metric.own_scale
    values = np.concatenate([side.parts(metric.metric)[0] for side in sides])
    known = values[~np.isnan(values)]
    return not len(known) or bool((known < 0).any() or (known > 1).any())


def bounds(metric: TaskMetric, scores: ItemScores) -> tuple[float, float]:
    """The metric with every unscored sample at 0 and at 1.

    NaN where that cannot be said: ratios of sums, scores outside of 0 to 1, no items.
    """
    import numpy as np

    if metric.metric.kind not in ("mean", "aggregate"):
        return float("nan"), float("nan")
    units = units_of(metric, scores)
    if metric.worst_over:
        ends = [units.of(_filled(scores, value)) for value in (0.0, 1.0)]
        low, high = (end.parts(metric.metric)[0] for end in ends)
        items, known = ends[0], scores.combined(metric.metric.numerator)
    else:
        items = units.of(scores)
        known = items.parts(metric.metric)[0]
        share = items.scored / items.samples
        low = np.where(share > 0, known, 0.0) * share
        high = low + 1 - share
    rows, known = ~np.isnan(low), known[~np.isnan(known)]  # scored without a value: the metric is not of this item
    if not rows.any() or (known < 0).any() or (known > 1).any():
        return float("nan"), float("nan")
    labels, weights = strata_of(metric, items.take(rows))
    if labels is None:
        return float(low[rows].mean()), float(high[rows].mean())
    weights = weights or dict.fromkeys(set(labels), 1 / len(set(labels)))
    first, last = (sum(w * end[rows][labels == name].mean() for name, w in weights.items()) for end in (low, high))
    return float(first), float(last)


def _filled(scores: ItemScores, value: float) -> ItemScores:
    """The same with this value for every sample that is unscored."""
    import numpy as np

    unscored = np.isnan(scores.sampled["score"])
    sampled = {name: np.where(unscored, value, table) for name, table in scores.sampled.items()}
    return replace(scores, sampled=sampled)
