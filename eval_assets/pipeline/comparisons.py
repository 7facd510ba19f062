"""Which cells a cell is compared with, and the record of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eval_assets.pipeline.cell import Cell, finish, record_of
from eval_assets.pipeline.comparing import NotComparable, compare_cells
from eval_assets.pipeline.files import report_name, write_json
from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.registering import run_of
from eval_assets.pipeline.report import stats_digest
from eval_assets.versions import digest
from resources.store import Store
from resources.store.records import cells


@dataclass
class Compared:
    """entries: role (baseline, previous, first) -> one entry a metric; absent: role -> why there is none."""

    version: str = ""
    entries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def others(store: Store, cell: Cell, baseline: str | None) -> dict[str, str]:
    """Role -> checkpoint key: the baseline, and the run's previous and first scored checkpoints."""
    point = cell.checkpoint
    scored = {r["checkpoint"] for r in cells(store).rows(f"stage = 'scores' AND variant = '{cell.variant.id}'")
              if r["task"] == cell.task.task}  # fmt: skip
    earlier = [p.key for p in run_of(store, point) if p.key in scored and (p.step or 0) < (point.step or 0)]
    found = {"baseline": baseline} if baseline and baseline != point.key else {}
    return found | ({"previous": earlier[-1], "first": earlier[0]} if earlier else {})


def compare_with_others(cell: Cell, store: Store, baseline: str | None, *, run_id: str) -> Compared:
    """All comparisons of a cell, kept as `reports/<task>/<checkpoint>.compare.json`.

    Another side that is not scored, or answered other questions, is absent with the reason.
    """
    own = record_of(store, cell, "scores")
    if own is None:
        raise NotScored(f"{cell.checkpoint.key} on {cell.task.task} is not judged yet: materialize judge_scores")
    found = Compared()
    versions = [own["version"], stats_digest()]
    for role, key in others(store, cell, baseline).items():
        other = cells(store).get(checkpoint=key, task=cell.task.task, variant=cell.variant.id, stage="scores")
        versions.append(f"{role}={key}:{other and other['version']}")
        try:
            found.entries[role] = compare_cells(store, cell.task, cell.checkpoint.key, key, variant=cell.variant.id)
        except (NotScored, NotComparable) as error:
            found.absent[role] = str(error)
    found.version = digest(versions)
    data = {"entries": found.entries, "absent": found.absent, "version": found.version}
    write_json(store, data, report_name(cell.checkpoint.key, cell.variant.id) + ".compare", cell.task.task)
    finish(store, cell, "comparison", key=digest(versions), version=found.version, n_rows=0, run_id=run_id)
    return found
