"""Two training runs on the same tasks, paired by step and item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from eval_assets.pipeline.comparing import NotComparable, holm
from eval_assets.pipeline.curve_numbers import LEVEL, levels_of
from eval_assets.pipeline.files import clean, write_json
from eval_assets.pipeline.item_scores import ItemScores, NotScored
from eval_assets.pipeline.learning_curve import curve_name
from eval_assets.pipeline.metrics import TaskMetric, difference, task_metrics
from eval_assets.pipeline.run_scores import RunScores, load_run_scores, points_of_run
from eval_assets.versions import git_commit, package_versions
from resources.models.checkpoint import Checkpoint
from resources.store import Store, slug
from resources.store.records import summary
from resources.store.tables import one_of
from task_defs import TaskDef, load_task

_FIELDS = ("mean_diff", "se", "ci_low", "ci_high", "p_value", "n", "n_clusters", "correlation", "method", "note")


def compare_runs(store: Store, run_a: str, run_b: str, tasks: Sequence[str] | None = None) -> dict[str, Any]:
    """run_a minus run_b at every step that both have a report of, as JSON-able data; NaN is unknown.

    tasks: names; None: every task with a common step. Each task has `steps` (the paired difference at each
    common step, p corrected by Holm over them), `overall` (the mean over these steps of each item's
    difference, one test), and the levels of both runs. Raises UnknownRun, NotComparable where there is no
    common step (with both lists of steps), NotScored where a task that was asked for has no report.
    """
    points = {"a": points_of_run(store, run_a), "b": points_of_run(store, run_b)}
    by_step = {side: {p.step or 0: p for p in found} for side, found in points.items()}
    if run_a == run_b:
        raise NotComparable(f"{run_a} is one run: name another one to compare it with")
    if not by_step["a"].keys() & by_step["b"].keys():
        raise NotComparable(_no_common_step("", run_a, by_step["a"], run_b, by_step["b"]))
    rows = summary(store).rows(
        f"is_primary AND {one_of('checkpoint', [p.key for side in points.values() for p in side])}"
    )
    reported = {
        task: {r["checkpoint"] for r in rows if r["task"] == task} for task in sorted({r["task"] for r in rows})
    }
    if unknown := sorted(set(tasks or ()) - set(reported)):
        raise NotScored(
            f"neither {run_a} nor {run_b} has a report on {', '.join(unknown)}: there are {', '.join(reported)}"
        )
    found, absent = {}, {}
    for name in tasks or reported:
        try:
            found[name] = _task(store, load_task(name), run_a, run_b, points["a"], points["b"])
        except (NotComparable, NotScored) as error:
            absent[name] = str(error)
    if not found:
        raise NotComparable("; ".join(absent.values()) or f"neither {run_a} nor {run_b} has a report yet")
    return {
        "run_a": run_a,
        "run_b": run_b,
        "level": LEVEL,
        "tasks": found,
        "absent": absent,
        "provenance": {"git_commit": git_commit(), "versions": package_versions()},
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_run_comparison(store: Store, data: dict[str, Any]) -> dict[str, str]:
    """The page and the JSON of `compare_runs`; where they lie."""
    from eval_assets.reporting.curve import run_comparison_page

    name, shown = f"{curve_name(data['run_a'])}.vs.{slug(data['run_b'])}", clean(data)
    page = store.write_file(run_comparison_page(shown).encode(), "reports", f"{name}.html")
    return {"page": page, "json": write_json(store, shown, name)}


def _no_common_step(on: str, run_a: str, a: dict[int, Checkpoint], run_b: str, b: dict[int, Checkpoint]) -> str:
    return f"{run_a} and {run_b} have no step in common{on}: {run_a} has {_said(a)}, {run_b} has {_said(b)}"


def _said(steps: dict[int, Checkpoint]) -> str:
    return ", ".join(map(str, sorted(steps))) or "none"


def _task(
    store: Store, task: TaskDef, run_a: str, run_b: str, a: Sequence[Checkpoint], b: Sequence[Checkpoint]
) -> dict[str, Any]:
    metric = task_metrics(task)[0]
    levels = levels_of(store, task.task, metric, [*a, *b])
    side_a, side_b = ({p.step or 0: p for p in side if p.key in levels} for side in (a, b))
    steps = sorted(side_a.keys() & side_b.keys())
    if not steps:
        raise NotComparable(_no_common_step(f" with a report on {task.task}", run_a, side_a, run_b, side_b))
    pairs = {step: (side_a[step].key, side_b[step].key) for step in steps}
    found = load_run_scores(store, task.task, [key for pair in pairs.values() for key in pair])
    usable = {step: pair for step, pair in pairs.items() if all(key in found.scores for key in pair)}
    if not usable:
        raise NotComparable("; ".join(found.absent.values()))
    entries = holm([_difference(task, metric, found, step, pair) for step, pair in usable.items()])
    return {
        "task": task.task,
        "metric": metric.name,
        "higher_is_better": metric.higher_is_better,
        "runs": {
            run: [{"checkpoint": p.key, "step": step, **levels[p.key]} for step, p in sorted(side.items())]
            for run, side in ((run_a, side_a), (run_b, side_b))
        },
        "steps": [{**e, "survives": e["p_adjusted"] <= 1 - LEVEL} for e in entries],
        "overall": _overall(metric, found, list(usable.values())),
        "only_a": sorted(side_a.keys() - side_b.keys()),
        "only_b": sorted(side_b.keys() - side_a.keys()),
        "notes": list(found.absent.values()),
    }


def _difference(
    task: TaskDef, metric: TaskMetric, found: RunScores, step: int, pair: tuple[str, str]
) -> dict[str, Any]:
    a, b = pair
    result = asdict(difference(metric, found.scores[a], found.scores[b], level=LEVEL))
    return {"task": task.task, "step": step, "a": a, "b": b, **{name: result[name] for name in _FIELDS}}


def _overall(metric: TaskMetric, found: RunScores, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The difference of the two runs' averages over the steps: an item's steps are no independent questions."""
    a, b = (_averaged([found.scores[pair[side]] for pair in pairs]) for side in (0, 1))
    result = asdict(difference(metric, a, b, level=LEVEL))
    return {"steps": len(pairs), **{name: result[name] for name in _FIELDS}}


def _averaged(sides: Sequence[ItemScores]) -> ItemScores:
    """Each item's components averaged over checkpoints; NaN where one of them has no score."""
    import numpy as np

    first = sides[0]
    values = {name: np.mean([side.values[name] for side in sides], axis=0) for name in first.values}
    # A step's samples are further runs of the benchmark: the worst of a group is found in each of them.
    sampled = {name: np.concatenate([side.sampled[name] for side in sides], axis=1) for name in first.sampled}
    sampled = {name: np.where(np.isnan(values[name])[:, None], np.nan, table) for name, table in sampled.items()}
    counts = {name: np.sum([getattr(side, name) for side in sides], axis=0) for name in ("samples", "scored")}
    return replace(first, values=values, sampled=sampled, **counts)
