"""The learning curve of one run on one task: levels, differences with a band, the best, changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from eval_assets.pipeline.comparing import holm
from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.metrics import TaskMetric, difference, marked, task_metrics
from eval_assets.pipeline.run_scores import RunScores, arrays_of, load_run_scores
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from resources.store.records import summary
from resources.store.tables import one_of, quoted
from task_defs import TaskDef

LEVEL = 0.95
# The bootstraps are part of what a curve is made from: the same scores give the same curve.
SEED = 0
_LEVEL_FIELDS = ("value", "se", "ci_low", "ci_high", "n", "n_clusters", "coverage")


def curve_of_task(store: Store, task: TaskDef, points: Sequence[Checkpoint], baseline: str | None) -> dict[str, Any]:
    """The run's reported checkpoints on the task's primary metric, as data for JSON; NaN is unknown.

    points: the run's, in order of step. baseline: a checkpoint's key, or None for the first of the run.
    Each of `points` has its score and interval as its report has them, `vs_reference` (the paired difference,
    its own interval, the simultaneous band and p raw and corrected) and `vs_previous` (the paired difference
    to the checkpoint before it, p corrected by Holm over the run). What there is none of is None, and `notes`
    say why. Raises NotScored where no checkpoint has a report on this task.
    """
    metric = task_metrics(task)[0]
    levels = levels_of(store, task.task, metric, points)
    if not levels:
        raise NotScored(f"no checkpoint of the run has a report of {metric.name} on {task.task} yet")
    reported = [point for point in points if point.key in levels]
    asked = [point.key for point in reported] + [baseline] * (baseline is not None)
    found = load_run_scores(store, task.task, asked)
    own = [point.key for point in reported if point.key in found.scores]
    reference, notes = _reference(baseline, own, found)
    band = _band(metric, found, own, reference)
    changes = _changes(task.task, metric, found, own)
    best = _best(metric, found, own)
    return {
        "task": task.task,
        "metric": metric.name,
        "aggregation": metric.aggregation,
        "higher_is_better": metric.higher_is_better,
        "level": LEVEL,
        "reference": reference and {"checkpoint": reference, "role": _role(reference, baseline)},
        "reference_value": _reference_value(metric, found, reference),
        "points": [
            {
                "checkpoint": point.key,
                "step": point.step,
                **levels[point.key],
                "vs_reference": band["points"].get(point.key),
                "vs_previous": changes.get(point.key),
            }
            for point in reported
        ],
        "band": band["band"],
        "best": best,
        "not_evaluated": [point.step for point in points if point.key not in levels],
        "notes": [*notes, *(why for key, why in found.absent.items() if key != baseline)],
    }


def levels_of(
    store: Store, task: str, metric: TaskMetric, points: Sequence[Checkpoint]
) -> dict[str, dict[str, float | int | None]]:
    """Checkpoint -> its score with interval, as its own report has it."""
    where = f"task = {quoted(task)} AND is_primary AND {one_of('checkpoint', [p.key for p in points])}"
    rows = [row for row in summary(store).rows(where) if row["metric"] == metric.name]
    return {row["checkpoint"]: marked(task, {name: row[name] for name in _LEVEL_FIELDS}) for row in rows}


def _role(reference: str, baseline: str | None) -> str:
    return "baseline" if reference == baseline else "first"


def _reference(baseline: str | None, own: list[str], found: RunScores) -> tuple[str | None, list[str]]:
    """What differences are to: the baseline, or the run's first checkpoint where it cannot be used."""
    if baseline is not None and baseline in found.scores:
        return baseline, []
    first = own[0] if own else None
    if baseline is None:
        return first, []
    instead = f": differences are to {first} instead" if first else ""
    return first, [f"not compared with the baseline: {found.absent[baseline]}{instead}"]


def _reference_value(metric: TaskMetric, found: RunScores, reference: str | None) -> float:
    from eval_assets.pipeline.metrics import estimate

    return math.nan if reference is None else estimate(metric, found.scores[reference]).value


def _band(metric: TaskMetric, found: RunScores, own: list[str], reference: str | None) -> dict[str, Any]:
    """`points`: checkpoint -> its difference to the reference; `band`: what holds for all of them."""
    from stats import simultaneous_band

    names = list(dict.fromkeys([*own, *([reference] if reference else [])]))
    if len(names) < 2:
        return {"points": {}, "band": None}
    arrays = arrays_of(metric, found, names)
    band = simultaneous_band(arrays.scores, **arrays.shared, seed=SEED, level=LEVEL, baseline=reference)
    survive = set(band.significant)
    points = {
        p.checkpoint: {k: v for k, v in asdict(p).items() if k != "checkpoint"}
        | {"b": reference, "survives": p.checkpoint in survive}
        for p in band.points
    }
    about = {name: getattr(band, name) for name in ("level", "critical", "n_clusters", "method", "note")}
    return {"points": points, "band": {**about, "survive": [key for key in own if key in survive]}}


def _best(metric: TaskMetric, found: RunScores, own: list[str]) -> dict[str, Any] | None:
    """The run's best checkpoint; `problem` where it cannot be said; None where there is only one to choose from."""
    from stats import best_checkpoint

    scored = [key for key in own if found.scores[key].scored.any()]
    if len(scored) < 2:
        return None
    arrays = arrays_of(metric, found, scored)
    try:
        best = best_checkpoint(
            arrays.scores, **arrays.shared, seed=SEED, level=LEVEL, higher_is_better=metric.higher_is_better
        )
    except ValueError as error:  # no item that all of them have a score for: the curve stands without a best
        return {"problem": str(error)}
    return asdict(best) | {"candidates": list(best.candidates), "problem": ""}


def _changes(task: str, metric: TaskMetric, found: RunScores, own: list[str]) -> dict[str, dict[str, Any]]:
    """Checkpoint -> its paired difference to the one before it, corrected by Holm over the run."""
    entries = []
    for before, after in pairwise(own):
        result = difference(metric, found.scores[after], found.scores[before], level=LEVEL)
        names = ("mean_diff", "se", "ci_low", "ci_high", "p_value", "n", "n_clusters", "note")
        entries.append({"task": task, "a": after, "b": before, **{name: getattr(result, name) for name in names}})
    corrected = holm(entries)
    kept = {e["a"]: {k: v for k, v in e.items() if k not in {"a", "task"}} for e in corrected}
    return {key: {**entry, "survives": entry["p_adjusted"] <= 1 - LEVEL} for key, entry in kept.items()}
