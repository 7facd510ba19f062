"""The checkpoints of a training run, and their scores on one task side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from eval_assets.pipeline.comparing import NotComparable, pair
from eval_assets.pipeline.item_scores import ItemScores, NotScored, load_item_scores
from eval_assets.pipeline.metrics import TaskMetric, columns
from eval_assets.pipeline.units import strata_of, units_of
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from resources.store.records import cells, checkpoints
from resources.store.tables import one_of, quoted


class UnknownRun(LookupError):
    """No checkpoint belongs to a run of that name; the message has the nearest ones."""


@dataclass(frozen=True)
class RunScores:
    """Scores of several checkpoints, item by item.

    items:  of the checkpoint that was judged last, whose questions and labels are those that count now.
    scores: checkpoint -> its scores on exactly these items, NaN where it has none.
    absent: checkpoint -> why it is not among them.
    """

    items: ItemScores
    scores: Mapping[str, ItemScores]
    absent: Mapping[str, str]


def points_of_run(store: Store, run: str) -> list[Checkpoint]:
    """The run's checkpoints in order of step. Raises UnknownRun."""
    known = checkpoints(store).rows("run IS NOT NULL AND step IS NOT NULL")
    found = [Checkpoint.from_record(row) for row in known if row["run"] == run]
    if not found:
        raise UnknownRun(_unknown(run, sorted({row["run"] for row in known})))
    return sorted(found, key=lambda point: point.step or 0)


def _unknown(run: str, runs: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(run, runs, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(runs[:10]) or 'none'}."
    return f"no run {run!r} with numbered checkpoints: {hint} See `evals checkpoints list`"


def load_run_scores(store: Store, task: str, keys: Iterable[str]) -> RunScores:
    """Paired by item id and by content. Raises NotScored where none of the checkpoints has scores.

    A checkpoint that answered other questions is absent with the reason, and so is one that is not judged.
    """
    wanted = list(dict.fromkeys(keys))
    where = f"stage = 'scores' AND task = {quoted(task)} AND variant = '' AND {one_of('checkpoint', wanted)}"
    judged = {row["checkpoint"]: row["at"] for row in cells(store).rows(where)}
    absent = {key: f"{key} has no scores on {task}" for key in wanted if key not in judged}
    if not judged:
        raise NotScored(f"none of {', '.join(wanted)} has scores on {task} yet: run `evals run` for one of them")
    newest = max(judged, key=lambda key: judged[key])
    items = load_item_scores(store, newest, task)
    scores = {}
    for key in (key for key in wanted if key in judged):
        own = items if key == newest else load_item_scores(store, key, task)
        try:
            scores[key] = _aligned(items, own, f"{newest} and {key} on {task}")
        except NotComparable as error:
            absent[key] = str(error)
    return RunScores(items, scores, absent)


def _aligned(items: ItemScores, own: ItemScores, what: str) -> ItemScores:
    """The same scores on the given items; NaN, and 0 of 0 samples, on an item that this side lacks."""
    import numpy as np

    here, there = pair(items, own, what)

    def placed(column: np.ndarray, empty: float | None) -> np.ndarray:
        found = np.full((len(items.ids), *column.shape[1:]), empty, dtype=column.dtype)
        found[here] = column[there]
        return found

    values = {name: placed(column, np.nan) for name, column in own.values.items()}
    counts = {name: placed(getattr(own, name), 0) for name in ("samples", "scored")}
    sampled = {name: placed(table, np.nan) for name, table in own.sampled.items()}
    results = None if own.results is None else np.frompyfunc(lambda texts: texts or (), 1, 1)(placed(own.results, None))
    return replace(items, values=values, sampled=sampled, results=results, **counts)


@dataclass(frozen=True)
class Arrays:
    """What `stats.simultaneous_band` and `stats.best_checkpoint` take of a metric, by checkpoint."""

    scores: dict[str, object]
    shared: dict[str, object]  # clusters, denominators, strata and their weights


def arrays_of(metric: TaskMetric, found: RunScores, keys: Iterable[str]) -> Arrays:
    """The metric of these checkpoints (one or more) as arrays, one entry a unit of the metric."""
    units = units_of(metric, found.items)
    of = {key: units.of(found.scores[key]) for key in keys}
    parts = {key: columns(metric, scores) for key, scores in of.items()}
    strata, weights = strata_of(metric, next(iter(of.values())))
    return Arrays(
        {key: top for key, (top, _) in parts.items()},
        {
            "clusters": units.clusters,
            "denominators": None if metric.metric.kind != "ratio" else {key: low for key, (_, low) in parts.items()},
            "strata": strata,
            "weights": weights,
        },
    )
