"""What a cell still needs, and why: the same answer for `evals plan`, the sensor and the shell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from eval_assets.pipeline.cell import Cell, Variant, complete_outputs, find_checkpoint, plan_cell, record_of
from eval_assets.pipeline.comparisons import comparison_key
from eval_assets.pipeline.questions import NotIngested
from eval_assets.pipeline.registering import changed_since
from eval_assets.pipeline.report import report_key
from eval_assets.pipeline.scoring import incomplete_key, scores_key, scores_of
from resources.models import ModelUnusable
from resources.store import Store
from resources.store.records import datasets
from task_defs import TaskDef
from task_defs.digests import data_digest

DATASET, CHECKPOINT, OUTPUTS, SCORES, REPORT, COMPARISON, DONE = (
    "benchmark_dataset", "checkpoint", "model_outputs", "judge_scores", "statistical_report", "comparison", "complete",
)  # fmt: skip
_REASONS = (
    ("fingerprint", "weights changed"),
    ("engine", "engine or its settings changed"),
    ("gen_kwargs", "generation parameters changed"),
    ("repeats", "number of samples changed"),
    ("limit", "limit changed"),
)


@dataclass(frozen=True, slots=True)
class Need:
    """stage: the first asset that has something to do; reason: why, in words. key: of the cell."""

    checkpoint: str
    task: str
    stage: str
    reason: str
    key: str = ""

    @property
    def complete(self) -> bool:
        return self.stage == DONE


def need_of(
    store: Store, checkpoint: str, task: TaskDef, variant: Variant | None = None, *, baseline: str | None = None
) -> Need:
    """What this cell needs next. Looks at names, sizes, times and records; hashes and asks nothing."""
    point = find_checkpoint(store, checkpoint)
    if point.fingerprint is None:
        return Need(checkpoint, task.task, CHECKPOINT, "new")
    if changed_since(point):
        return Need(checkpoint, task.task, CHECKPOINT, "weights changed")
    record = datasets(store).get(task=task.task)
    if record is None:
        return Need(checkpoint, task.task, DATASET, "not ingested")
    if record["definition"] != data_digest(task):
        return Need(checkpoint, task.task, DATASET, "data source or labels of the task's definition changed")
    try:
        cell = plan_cell(store, point, task, variant)
    except NotIngested:
        return Need(checkpoint, task.task, DATASET, "not ingested")
    return _cell_need(store, cell, baseline)


def _cell_need(store: Store, cell: Cell, baseline: str | None) -> Need:
    def need(stage: str, reason: str) -> Need:
        return Need(cell.checkpoint.key, cell.task.task, stage, reason, cell.key)

    outputs = complete_outputs(store, cell)
    if outputs is None:
        return need(OUTPUTS, _why_outputs(store, cell))
    scores = record_of(store, cell, "scores")
    if scores is None:
        return need(SCORES, "new")
    try:
        key = scores_key(store, cell, outputs["version"])
    except ModelUnusable as error:  # of the judge: it is told here, and stops the run that needs it
        return need(SCORES, str(error))
    if scores["key"] != key:
        unanswered = scores["key"] == incomplete_key(key)
        return need(SCORES, "judge answers are missing" if unanswered else "labels or judge changed")
    if scores_of(store, cell.checkpoint.key, cell.task.task, cell.variant.id).count() != scores["n_rows"]:
        return need(SCORES, "scores are not there any more")
    report = record_of(store, cell, "report")
    if report is None:
        return need(REPORT, "new")
    if report["key"] != report_key(store, cell, scores["version"]):
        return need(REPORT, "scores, metrics or statistics changed")
    comparison = record_of(store, cell, "comparison")
    if not cell.variant.id and (comparison is None or comparison["key"] != comparison_key(store, cell, baseline)):
        return need(COMPARISON, "new" if comparison is None else "the baseline or an earlier checkpoint changed")
    return need(DONE, "complete")


def _why_outputs(store: Store, cell: Cell) -> str:
    record = record_of(store, cell, "outputs")
    if record is None:
        return "new" if cell.outputs(store).count() == 0 else "not finished"
    before: dict[str, Any] = json.loads(record["details"])
    now = json.loads(json.dumps(cell.details()))
    if record["key"] == cell.key:
        return "stored answers are not there any more"
    reasons = [words for name, words in _REASONS if before.get(name) != now[name]]
    if before.get("requests") != now["requests"]:
        reasons.append("prompt changed" if before.get("dataset") == now["dataset"] else "dataset changed")
    return ", ".join(reasons) or "settings changed"
