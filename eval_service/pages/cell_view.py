"""A cell's numbers as its page shows them: headline, plots, what it cost, where it comes from."""

from __future__ import annotations

import json
from typing import Any

from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.reporting import episodes, memory_plots, view
from eval_assets.reporting.pages import figure
from eval_assets.reporting.plots import breakdown_plot, interval_plot
from eval_assets.reporting.words import LEVEL, count, decimal, engine, percent, tokens
from eval_assets.settings import load_settings
from eval_service.pages.cell_items import PER_PAGE
from eval_service.pages.distribution import distribution
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from resources.store.records import cells, summary
from resources.store.tables import quoted
from task_defs import TaskDef

Data = dict[str, Any]


def cell(store: Store, report: Data, checkpoint: str, task: TaskDef) -> Data:
    """What stands above the items."""
    point, usage = find_checkpoint(store, checkpoint), report.get("usage") or {}
    figures = []
    if len(report["metrics"]) > 1:
        figures.append(figure(interval_plot(view.metric_rows(report)), f"All metrics, {LEVEL} intervals."))
    for part in view.breakdowns(report):
        if len(part["rows"]) <= 40:
            figures.append(figure(breakdown_plot(part), f"{part['lead']} by {part['field']}; dashed: all items."))
    if shown := distribution(store, checkpoint, task.task, report["variant"]):
        figures.append(shown)
    if block := report.get("episodes"):
        figures += [figure(plot, said) for plot, said in episodes.figures(block)]
    if memory := report.get("memory"):
        figures += [figure(plot, said) for plot, said in memory_plots.figures(memory)]
    primary = report["metrics"][report["primary"]]
    return {
        "report": report, "primary": view.score_cells(primary), "metric": report["primary"], "level": LEVEL,
        "metrics": [(name, view.score_cells(m), m["aggregation"]) for name, m in report["metrics"].items()],
        "figures": figures, "coverage": percent(report["coverage"]), "n_items": count(report["n_items"]),
        "flag_rates": view.rates(report, "flags"), "unscored_rates": view.rates(report, "unscored"),
        "used": tokens(usage), "engine": engine(report.get("engine") or {}),
        "seconds": (decimal(usage.get("median_seconds")), decimal(usage.get("p95_seconds"))),
        "provenance": _provenance(store, checkpoint, task.task, report), "point": point,
        **_neighbours(store, task.task, point),
    }  # fmt: skip


def _neighbours(store: Store, task: str, point: Checkpoint) -> Data:
    """What else is scored on the task, and of these the run's checkpoints before and after this one."""
    rows = summary(store).rows(f"is_primary AND task = {quoted(task)}")
    run = sorted((r for r in rows if r["run"] and r["run"] == point.run), key=lambda r: r["step"])
    at = next((i for i, r in enumerate(run) if r["checkpoint"] == point.key), None)
    before, after = (
        (None, None) if at is None else (run[at - 1] if at else None, run[at + 1] if run[at + 1 :] else None)
    )
    others = sorted({r["checkpoint"] for r in rows} - {point.key})
    baseline = load_settings().baseline_of(task)
    likely = baseline if baseline in others else before["checkpoint"] if before else ""
    return {"before": before, "after": after, "others": others, "likely": likely}


def _provenance(store: Store, checkpoint: str, task: str, report: Data) -> list[tuple[str, str]]:
    rows = cells(store).rows(
        f"checkpoint = {quoted(checkpoint)} AND task = {quoted(task)} AND variant = {quoted(report['variant'])}"
    )
    stages = {row["stage"]: row for row in rows}
    outputs = stages.get("outputs", {})
    details = json.loads(outputs.get("details") or "{}")
    found = [
        ("Fingerprint", details.get("fingerprint") or ""), ("Data set", details.get("dataset") or ""),
        ("Engine", json.dumps(details.get("engine")) if details.get("engine") else ""),
        ("Player", _player(report.get("player"))),
        ("Generation", json.dumps(report["gen_kwargs"])), ("Judge", json.dumps(report["judge"])),
        ("Scores", report["scores_version"]), ("Dagster run", outputs.get("run_id") or ""),
        ("Reported", report["at"]),
    ]  # fmt: skip
    return [(name, said) for name, said in found if said]


def _player(played: Data | None) -> str:
    return ", ".join([played["name"], *(f"{k} {v}" for k, v in played["packages"].items())]) if played else ""


def pages(total: int) -> int:
    """How many pages so many items have."""
    return max(1, -(-total // PER_PAGE))
