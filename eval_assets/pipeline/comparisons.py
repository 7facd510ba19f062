"""Which cells a cell is compared with, and the record of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eval_assets.gates import Against
from eval_assets.pipeline.cell import Cell, finish, record_of
from eval_assets.pipeline.comparing import NotComparable, compare_cells
from eval_assets.pipeline.files import report_name, write_json
from eval_assets.pipeline.item_scores import NotScored, not_scored
from eval_assets.pipeline.registering import run_of
from eval_assets.pipeline.report import stats_digest
from eval_assets.versions import digest
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from resources.store.records import cells
from resources.store.tables import quoted
from task_defs import TaskDef


@dataclass
class Compared:
    """entries: role (baseline, previous, first) -> one entry a metric; absent: role -> why there is none."""

    version: str = ""
    entries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def primary(self) -> Against:
        return Against({role: entries[0] for role, entries in self.entries.items()}, self.absent)


def others(store: Store, point: Checkpoint, task: str, baseline: str | None, variant: str = "") -> dict[str, str]:
    """Role -> checkpoint key: the baseline, and the run's previous and first scored checkpoints."""
    scored = set(scores_versions(store, task, variant))
    earlier = [p.key for p in run_of(store, point) if p.key in scored and (p.step or 0) < (point.step or 0)]
    found = {"baseline": baseline} if baseline and baseline != point.key else {}
    return found | ({"previous": earlier[-1], "first": earlier[0]} if earlier else {})


def scores_versions(store: Store, task: str, variant: str = "") -> dict[str, str]:
    """Checkpoint -> version of its scores on this task."""
    where = f"stage = 'scores' AND task = {quoted(task)} AND variant = {quoted(variant)}"
    return {row["checkpoint"]: row["version"] for row in cells(store).rows(where)}


def comparison_key(store: Store, cell: Cell, baseline: str | None) -> str:
    """What a cell's comparisons are made from: its scores and those of each other side."""
    task, variant = cell.task.task, cell.variant.id
    versions = scores_versions(store, task, variant)
    sides = others(store, cell.checkpoint, task, baseline, variant)
    return digest(
        [stats_digest(), versions.get(cell.checkpoint.key), {r: [k, versions.get(k)] for r, k in sides.items()}]
    )


def compare_with_others(cell: Cell, store: Store, baseline: str | None, *, run_id: str) -> Compared:
    """All comparisons of a cell, kept as `reports/<task>/<checkpoint>.compare.json`; at once if they are there.

    Another side that is not scored, or answered other questions, is absent with the reason.
    """
    key, task, variant = cell.checkpoint.key, cell.task, cell.variant.id
    versions = scores_versions(store, task.task, variant)
    if key not in versions:
        raise NotScored(not_scored(key, task.task))
    name, made_from = report_name(key, variant) + ".compare", comparison_key(store, cell, baseline)
    record = record_of(store, cell, "comparison")
    stored = store.read_json("reports", task.task, f"{name}.json") if record and record["key"] == made_from else None
    if stored:
        return Compared(made_from, stored["entries"], stored["absent"])
    found = Compared(made_from)
    for role, other in others(store, cell.checkpoint, task.task, baseline, variant).items():
        try:
            found.entries[role] = compare_cells(store, task, key, other, variant=variant, all_items=role == "baseline")
        except (NotScored, NotComparable) as error:
            found.absent[role] = str(error)
    sides = {"of": versions[key], **{role: versions.get(e[0]["b"]) for role, e in found.entries.items()}}
    data = {"entries": found.entries, "absent": found.absent, "scores": sides, "version": found.version,
            "statistics": stats_digest()}  # fmt: skip
    write_json(store, data, name, task.task)
    finish(store, cell, "comparison", key=made_from, version=made_from, n_rows=0, run_id=run_id)
    return found


def comparisons_now(store: Store, point: Checkpoint, task: TaskDef, baseline: str | None) -> Against:
    """The primary metric compared, as of the scores that are stored now.

    What the cell's own run wrote is taken where it still holds; a checkpoint that was scored later
    than its successors, or a new baseline, makes the entry anew.
    """
    stored = store.read_json("reports", task.task, f"{report_name(point.key)}.compare.json") or {}
    versions = scores_versions(store, task.task)
    # Made by these estimators: an entry of older ones lacks what is asked of it.
    usable = stored.get("statistics") == stats_digest()
    entries: dict[str, dict[str, Any]] = {}
    absent: dict[str, str] = {}
    for role, other in others(store, point, task.task, baseline).items():
        entry = next(iter(stored.get("entries", {}).get(role, [])), None) if usable else None
        sides = stored.get("scores", {})
        if entry and entry["b"] == other and (sides.get("of"), sides.get(role)) == (
            versions.get(point.key), versions.get(other),
        ):  # fmt: skip
            entries[role] = entry
            continue
        try:
            entries[role] = compare_cells(store, task, point.key, other, all_items=role == "baseline")[0]
        except (NotScored, NotComparable) as error:
            absent[role] = str(error)
    return Against(entries, absent)
