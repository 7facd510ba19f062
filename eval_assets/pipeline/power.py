"""What a task's items can show, and what it would take to show more: from stored scores, or from given variances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from eval_assets.pipeline.comparing import pair
from eval_assets.pipeline.item_scores import NotScored, load_item_scores
from eval_assets.pipeline.metrics import detectable, difference, own_unit, task_metrics
from eval_assets.pipeline.units import of_whole_units
from resources.store import Store
from resources.store.records import cells, datasets
from resources.store.tables import quoted
from stats import minimum_detectable_effect, sample_size, variance_components
from task_defs import TaskDef

_MOST_SAMPLES = 64  # beyond, more samples an item are no answer to anything


class NothingVaries(ValueError):
    """The two cells do not differ on any item, or there are too few: no plan follows from them."""


@dataclass(frozen=True)
class Variances:
    """What a plan rests on. planning: arguments of `stats.sample_size`; n: items there are; source, note: in words.

    split: whether noise within items is known apart from the differences of items: only then can it be said what
    more samples an item would do. own_unit: see `metrics.own_unit`.
    """

    planning: Mapping[str, Any]
    n: int
    source: str
    split: bool
    note: str = ""
    own_unit: bool = False


@dataclass(frozen=True)
class Power:
    """detectable: the true difference that the items there are show with `power`; needed: items that `effect` takes.

    samples: answers an item, by both models, with which the items there are would show the effect; None where they
    show it already, where no number of samples does, or where it is not known (`split`).
    """

    task: str
    effect: float
    n: int
    power: float
    alpha: float
    detectable: float
    needed: int
    samples: int | None
    source: str
    split: bool
    note: str = ""
    planning: Mapping[str, Any] = field(default_factory=dict)
    own_unit: bool = False

    @property
    def enough(self) -> bool:
        return self.n >= self.needed


def stored_variances(store: Store, task: TaskDef, a: str, b: str, variant: str = "") -> Variances:
    """From two scored cells, paired item by item. Raises NotScored, NotComparable and NothingVaries.

    A metric that is no plain mean of scores is planned with the standard error of its difference.
    """
    from eval_assets.pipeline.stability import load_samples

    left, right = (load_item_scores(store, key, task.task, variant) for key in (a, b))
    rows_a, rows_b = pair(left, right, f"{a} and {b} on {task.task}")
    metric = task_metrics(task)[0]
    source = f"{a} against {b}, {metric.name}"
    if metric.plain and metric.metric.numerator == {"score": 1.0}:
        samples = [load_samples(store, key, task.task, variant).scores for key in (a, b)]
        clusters = None if left.clusters is None else left.clusters[rows_a]
        found = variance_components(samples[0][rows_a], clusters, baseline=samples[1][rows_b])
        if not found.total > 0:
            why = found.note if math.isnan(found.total) else "the difference is the same on every item"
            raise NothingVaries(f"{source}: {why}: compare other checkpoints, or give --omega2")
        return Variances(found.planning(), found.n, source, not math.isnan(found.omega2), found.note)
    left, right = of_whole_units(metric, (left, rows_a), (right, rows_b))
    result = asdict(difference(metric, left, right))
    planning = detectable(metric, left, right, result)["planning"]
    if not planning:
        why = result["note"] or "the two do not differ"
        raise NothingVaries(f"{source}: {why}: compare other checkpoints, or give --omega2")
    note = "from the standard error of the difference"
    return Variances(planning, result["n"], source, False, note, own_unit(metric, left, right))


def given_variances(store: Store, task: TaskDef, n: int | None = None, **planning: float) -> Variances:
    """From given numbers (`omega2`, `var_a`, ...); n: items, else those that the task has in the store."""
    if n is None:
        row = datasets(store).get(task=task.task)
        if row is None:
            raise NotScored(f"{task.task} is not in the store: `evals ingest {task.task}`, or say --items")
        n = int(row["n_items"])
    return Variances(planning, n, "given variances", True)


def two_cells(store: Store, task: str, baseline: str | None, variant: str = "") -> tuple[str, str]:
    """The checkpoint that was scored last, and the baseline or else the one scored before it. Raises NotScored."""
    where = f"stage = 'scores' AND task = {quoted(task)} AND variant = {quoted(variant)}"
    rows = sorted(cells(store).rows(where), key=lambda row: row["at"], reverse=True)
    keys = [row["checkpoint"] for row in rows]
    if baseline in keys:
        keys = [*[key for key in keys if key != baseline][:1], str(baseline)]
    if len(keys) < 2:
        have = f"only {keys[0]} is" if keys else "no checkpoint is"
        raise NotScored(
            f"{have} scored on {task}{f' as {variant}' if variant else ''}, and the variance of a difference takes two "
            "checkpoints: evaluate another one, import recorded answers, or give --omega2"
        )
    return keys[0], keys[1]


def plan(task: str, effect: float, variances: Variances, *, power: float = 0.8, alpha: float = 0.05) -> Power:
    """Raises ValueError for an effect of 0 and for what else `stats.sample_size` refuses."""
    how: dict[str, Any] = {"alpha": alpha, "power": power}
    needed = sample_size(effect, **variances.planning, **how)
    samples = _samples(effect, variances, how) if variances.split and needed > variances.n else None
    return Power(
        task=task,
        effect=effect,
        n=variances.n,
        power=power,
        alpha=alpha,
        detectable=minimum_detectable_effect(variances.n, **variances.planning, **how),
        needed=needed,
        samples=samples,
        source=variances.source,
        split=variances.split,
        note=variances.note,
        planning=dict(variances.planning),
        own_unit=variances.own_unit,
    )


def _samples(effect: float, variances: Variances, how: Mapping[str, Any]) -> int | None:
    """The fewest answers an item, of both models, with which the items there are would do."""
    planning = dict(variances.planning)
    if planning.get("var_a", 0) + planning.get("var_b", 0) == 0:
        return None
    for k in range(2, _MOST_SAMPLES + 1):
        counts = {side: max(k, planning.get(side, 1)) for side in ("k_a", "k_b")}
        if sample_size(effect, **{**planning, **counts}, **how) <= variances.n:
            return k
    return None


def advice(found: Power) -> str:
    """`480 items cannot see 1 point; it needs 9,400 items, or K = 4 samples an item`."""
    points = f"{100 * found.effect:.3g} point{'' if round(100 * found.effect, 6) == 1 else 's'}"
    points = f"a difference of {found.effect:g}" if found.own_unit else points
    if found.enough:
        return f"{found.n:,} items can see {points}: {found.needed:,} would do"
    said = f"{found.n:,} items cannot see {points}; it needs {found.needed:,} items"
    if found.samples:
        return f"{said}, or K = {found.samples} samples an item"
    if found.split:
        return f"{said}; more samples an item cannot take their place"
    return said
