"""A cell's gate, asked of what is stored now: so that no run that wrote nothing slips past it."""

from __future__ import annotations

from typing import Any

from eval_assets.gates import cell_decisions
from eval_assets.pipeline.comparisons import comparisons_now
from eval_assets.pipeline.files import report_name
from eval_assets.settings import Settings
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from task_defs import TaskDef


def stored_decisions(store: Store, point: Checkpoint, task: TaskDef, settings: Settings) -> list[dict[str, Any]]:
    """`gates.cell_decisions` of the stored report and of the comparisons as of now; empty without a report."""
    report = store.read_json("reports", task.task, f"{report_name(point.key)}.json")
    if report is None:
        return []
    against = comparisons_now(store, point, task, settings.baseline_of(task.task))
    return cell_decisions(report, against, settings.gate_of(task.task, point.suite))


def stopped_by(decisions: list[dict[str, Any]]) -> list[str]:
    """`check: why` of each that fails a run."""
    return [f"{row['check']}: {row['why']}" for row in decisions if row["stops"]]
