"""What one cell says: every metric with its interval, by category, with what was left out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.calibration import judging_block
from eval_assets.pipeline.cell import Cell, finish, record_of
from eval_assets.pipeline.chance import chance_definition, chance_levels
from eval_assets.pipeline.episode_block import episode_block
from eval_assets.pipeline.files import report_name, write_json
from eval_assets.pipeline.human_labels import labels_version
from eval_assets.pipeline.item_scores import ItemScores, load_item_scores
from eval_assets.pipeline.memory_curve import memory_curve
from eval_assets.pipeline.metrics import TaskMetric, metric_fields, task_metrics
from eval_assets.pipeline.scoring import scores_of
from eval_assets.pipeline.spent import spent
from eval_assets.pipeline.stability import stability_block
from eval_assets.pipeline.units import whole
from eval_assets.versions import digest
from resources.episodes.registry import player_packages
from resources.store import Store
from resources.store.records import summary
from resources.store.tables import quoted, scan
from task_defs import TaskDef
from task_defs.functions import with_functions

if TYPE_CHECKING:
    import numpy as np

# Bump when the same scores make another report.
REPORT_VERSION = 3
# A field with more values than this is no breakdown but an id.
MOST_CATEGORIES = 200


def report_cell(cell: Cell, store: Store, *, run_id: str, log: Callable[[str], None]) -> dict[str, Any]:
    """The cell's report, written as JSON, its metrics also to the summary table.

    A variant's report is kept under the variant's name and never enters the summary.
    """
    scores = record_of(store, cell, "scores")
    if scores is None:
        raise LookupError(f"{cell.checkpoint.key} on {cell.task.task} is not judged yet: materialize judge_scores")
    name, key = report_name(cell.checkpoint.key, cell.variant.id), report_key(store, cell, scores["version"])
    record = record_of(store, cell, "report")
    stored = store.read_json("reports", cell.task.task, f"{name}.json") if record and record["key"] == key else None
    if stored:
        log(headline(stored))
        return dict(stored)
    report = make_report(cell, store, scores)
    report["version"] = key
    write_json(store, report, name, cell.task.task)
    if not cell.variant.id:
        _summarize(store, cell, report)
    finish(
        store,
        cell,
        "report",
        key=key,
        version=key,
        n_rows=scores["n_rows"],
        run_id=run_id,
        details={},
    )
    log(headline(report))
    return report


def report_key(store: Store, cell: Cell, scores_version: str) -> str:
    """What a report is made from: scores, statistics, the metrics that the task asks for, and what people said."""
    metrics = [
        [m.name, m.metric.name, m.macro_over, m.higher_is_better, *([m.worst_over] if m.worst_over else []),
         *(["with_mean"] if m.with_mean else [])]
        for m in task_metrics(cell.task)
    ]  # fmt: skip
    prices = [] if cell.prices is None else [asdict(cell.prices)]
    people = labels_version(store, cell.checkpoint.key, cell.task.task)
    ordered = [["ordered", *cell.task.ordered]] if cell.task.ordered else []
    return digest([scores_version, stats_digest(), metrics, *prices, *chance_definition(cell.task), *people, *ordered])


def make_report(cell: Cell, store: Store, scores_record: dict[str, Any]) -> dict[str, Any]:
    """The report as JSON-able data; NaN where something is unknown."""
    metrics = task_metrics(cell.task)
    items = load_item_scores(store, cell.checkpoint.key, cell.task.task, cell.variant.id)
    counts = _counts(store, cell)
    chance = chance_levels(store, cell)
    estimated = {m.name: {**metric_fields(m, items), **chance.get(m.name, {})} for m in metrics}
    stability = stability_block(
        store, cell.checkpoint.key, cell.task.task, cell.variant.id, cell.gen_kwargs, cell.task.episode is not None
    )
    judging = judging_block(store, cell, items, metrics[0])
    player = cell.task.episode.player if cell.task.episode else ""
    episodes, memory = episode_block(store, cell), memory_curve(store, cell)
    return {
        "checkpoint": cell.checkpoint.key,
        "task": cell.task.task,
        "variant": cell.variant.id,
        "run": cell.checkpoint.run,
        "step": cell.checkpoint.step,
        "primary": metrics[0].name,
        "metric_list": [{"name": m.name, "aggregation": m.aggregation} for m in metrics],
        "metrics": estimated,
        "by": _breakdowns(cell.task, metrics, items),
        **({"ordered": list(cell.task.ordered)} if cell.task.ordered else {}),
        "bounds": _bounds(estimated[metrics[0].name]),
        "clusters": _clusters_from(cell.task, items),
        "n_items": len(items.ids),
        "n_samples": int(items.samples.sum()),
        "n_scored": int(items.scored.sum()),
        "coverage": items.coverage,
        **({"stability": stability} if stability else {}),
        **({"judging": judging} if judging else {}),
        **({"episodes": episodes} if episodes else {}),
        **({"memory": memory} if memory else {}),
        **counts,
        "engine": _observed(store, cell),
        **({"player": {"name": player, "packages": player_packages(player)}} if player else {}),
        "scores_version": scores_record["version"],
        "judge": _told(cell.task.judge),
        "gen_kwargs": cell.gen_kwargs,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _told(judge: dict[str, Any]) -> dict[str, Any]:
    """The judge's settings without the text of its prompts, which are files, and JSON-able."""
    told = with_functions(judge, lambda function: "...")
    return {k: v if isinstance(v, str | int | float | bool | list | dict) and k not in ("prompt", "system") else "..."
            for k, v in told.items()}  # fmt: skip


def _observed(store: Store, cell: Cell) -> dict[str, Any]:
    """What the model's engine counted in the run that completed the outputs; empty for models without one."""
    outputs = record_of(store, cell, "outputs")
    found: dict[str, Any] = json.loads(outputs["details"]).get("observed", {}) if outputs else {}
    return found


def _breakdowns(task: TaskDef, metrics: list[TaskMetric], items: ItemScores) -> dict[str, Any]:
    import numpy as np

    found: dict[str, Any] = {}
    plain = [m for m in metrics if not m.macro_over]  # a macro average over categories has no category
    for field in task.report_by:
        values = sorted(set(items.by[field]) - {""}, key=_natural)
        if len(values) <= MOST_CATEGORIES:
            rows = {value: np.flatnonzero(items.by[field] == value) for value in values}
            found[field] = _by_category(plain, items, rows)
    return found


def _by_category(metrics: list[TaskMetric], items: ItemScores, rows: dict[str, np.ndarray]) -> dict[str, Any]:
    """Each metric in each category. Of groups of items only those count that lie in a category as a whole; a metric of
    groups that all lie in several categories is left out."""
    found: dict[str, Any] = {value: {} for value in rows}
    for metric in metrics:
        parts = {value: items.take(of[whole(metric, items, of)]) for value, of in rows.items()}
        if any(len(part.ids) for part in parts.values()):
            for value, part in parts.items():
                found[value][metric.name] = metric_fields(metric, part)
    return found


def _natural(value: str) -> tuple[int, float, str]:
    try:
        return (0, float(value), "")
    except ValueError:
        return (1, 0.0, value)


def _bounds(fields: dict[str, Any]) -> dict[str, float]:
    """The primary metric with everything unscored wrong, and with everything unscored right."""
    ends = fields["lowest"], fields["highest"]
    return dict(zip(("all_wrong", "all_right"), ends if fields["higher_is_better"] else ends[::-1], strict=True))


def _clusters_from(task: TaskDef, items: ItemScores) -> str:
    if task.cluster_key:
        return str(task.cluster_key) if isinstance(task.cluster_key, str) else task.cluster_key.name
    return "none: items are independent" if items.clusters is None else "shared media (no cluster_key given)"


def _counts(store: Store, cell: Cell) -> dict[str, Any]:
    """Flags, reasons for unscored samples, tokens and seconds, counted by DuckDB."""
    import duckdb
    import pyarrow as pa

    dataset = scores_of(store, cell.checkpoint.key, cell.task.task, cell.variant.id).dataset()
    assert dataset is not None
    scores = pa.Table.from_batches(scan(dataset, ["flags", "unscored", "seconds"]))
    connection = duckdb.connect()
    connection.register("scores", scores)
    flags = connection.execute(
        "SELECT flag, count(*) FROM (SELECT unnest(flags) AS flag FROM scores) GROUP BY 1"
    ).fetchall()
    reasons = connection.execute(
        "SELECT split_part(unscored, ':', 1), count(*) FROM scores WHERE unscored IS NOT NULL "
        "GROUP BY 1 ORDER BY 2 DESC"
    ).fetchall()
    [(median, p95)] = connection.execute("SELECT median(seconds), quantile_cont(seconds, 0.95) FROM scores").fetchall()
    usage = {**spent(cell, store, dataset), "median_seconds": median, "p95_seconds": p95}
    return {"flags": dict(flags), "unscored": dict(reasons), "usage": usage}


def _summarize(store: Store, cell: Cell, report: dict[str, Any]) -> None:
    point, task = cell.checkpoint, cell.task.task
    shared = {"checkpoint": point.key, "task": task, "run": point.run, "step": point.step, "at": datetime.now(UTC)}
    names = ("value", "se", "ci_low", "ci_high", "n", "n_clusters", "coverage", "higher_is_better")
    rows = [
        {
            **shared,
            "metric": name,
            "is_primary": name == report["primary"],
            "version": report["version"],
            **{k: fields[k] for k in names},
        }
        for name, fields in report["metrics"].items()
    ]
    summary(store).upsert(rows, replacing=f"checkpoint = {quoted(point.key)} AND task = {quoted(task)}")


def headline(report: dict[str, Any]) -> str:
    """The primary metric in one line."""
    m = report["metrics"][report["primary"]]
    clusters = f" in {m['n_clusters']} clusters" if m["n_clusters"] != m["n"] else ""
    value, low, high = (f"{m[k]:.4g}" if m.get("own_unit") else percent(m[k]) for k in ("value", "ci_low", "ci_high"))
    return (
        f"{report['checkpoint']} on {report['task']}: {report['primary']} {value} [{low}, {high}], "
        f"n = {m['n']}{clusters}, coverage {percent(m['coverage'])}"
    )


def percent(value: float | None) -> str:
    return "n/a" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def stats_digest() -> str:
    """Of the source of `stats`: an edited estimator re-reports and asks nobody anything."""
    from pathlib import Path

    import stats

    folder = Path(stats.__file__).parent
    return digest([REPORT_VERSION, {p.name: digest(p.read_text()) for p in sorted(folder.glob("*.py"))}])
