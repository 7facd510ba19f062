"""What the sweeps over variants of a cell share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from eval_assets.pipeline.cell import Cell, Variant, plan_cell
from eval_assets.pipeline.files import report_name
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell
from eval_assets.versions import digest
from resources.store import Store


def sweep_name(checkpoint: str, limit: int | None, what: str) -> str:
    """Of the files of a sweep: `frames-sweep` or `context-sweep`."""
    return report_name(checkpoint, ",".join(filter(None, [Variant(limit=limit).id, what])))


def complete(cell: Cell, store: Store, *, run_id: str, log: Callable[[str], None]) -> str:
    """Outputs, scores and report of a cell; what is complete is not repeated. The report's version."""
    infer(cell, store, run_id=run_id, log=log)
    judge_cell(cell, store, run_id=run_id, log=log)
    return str(report_cell(cell, store, run_id=run_id, log=log)["version"])


def complete_variants(
    base: Cell, variants: Iterable[Variant], store: Store, *, run_id: str, log: Callable[[str], None]
) -> str:
    """The same of each of these variants of a cell, one after another; the version of them all."""
    versions = []
    for variant in variants:
        cell = plan_cell(store, base.checkpoint, base.task, variant)
        versions.append([variant.id, complete(cell, store, run_id=run_id, log=log)])
    return digest(versions)
