"""A job as it stands: the ledger's word, Dagster's runs, and the stored results, put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from eval_assets import results
from eval_assets.pipeline.cell import Variant, find_checkpoint
from eval_assets.pipeline.draining import cell_step
from eval_assets.pipeline.files import clean
from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.ledger import CANCELLED, DONE, FAILED, WANTED, Wish, by_cell, in_order
from eval_service.jobs import Job, wishes_of
from eval_service.queue import Going
from eval_service.schemas import Cell, CellState, JobState, JobView, Queue, QueueEntry
from resources.store import Store
from resources.store.outputs import OutputsTable
from resources.store.records import datasets, wanted
from resources.store.tables import open_table, quoted
from task_defs import load_task

_RECENT = 20.0  # seconds over which a rate is taken
_SETTLED: dict[str, CellState] = {DONE: "done", FAILED: "failed", CANCELLED: "cancelled"}
_GOING: dict[str, CellState] = {"queued": "queued", "running": "running"}


def view(store: Store, job: Job, going: Mapping[str, Going], problem: str = "") -> JobView:
    """The whole job, metrics of its finished cells included. problem: why nothing is being drained."""
    wishes = wishes_of(store, job)
    cells = [_cell(store, job, wish, going) for wish in wishes]
    state = job_state([c.state for c in cells])
    position = places(store).get(job.who, 0) if state in ("queued", "running") else None
    return JobView(
        job_id=job.id, state=state, client=job.client, checkpoint=job.checkpoint, tasks=list(job.tasks),
        variant=Variant.read(job.variant).id, priority=job.priority, created_at=job.at, queue_position=position,
        note=problem if state == "queued" else "", cells=cells,
    )  # fmt: skip


def waiting(job: Job, position: int, problem: str) -> JobView:
    """A job of which all cells wait. position: `places` of it."""
    return JobView(
        job_id=job.id, state="queued", client=job.client, checkpoint=job.checkpoint, tasks=list(job.tasks),
        variant=Variant.read(job.variant).id, priority=job.priority, created_at=job.at, queue_position=position,
        note=problem, cells=[Cell(task=task, state="waiting") for task in job.tasks],
    )  # fmt: skip


def places(store: Store) -> dict[str, int]:
    """Who wants cells -> how many cells of others go before the first of them."""
    found: dict[str, int] = {}
    rows = wanted(store).rows(f"state = {quoted(WANTED)}", ["who", "checkpoint", "task", "variant", "priority", "at"])
    for number, cell in enumerate(by_cell(in_order(rows))):
        for wish in cell:
            found.setdefault(wish.who, number)
    return found


def job_state(states: Sequence[CellState]) -> JobState:
    """Of a job with cells in these states: it has failed when it has ended and one of them has."""
    if any(s in ("running", "preparing") for s in states):
        return "running"
    if not states or any(s in ("waiting", "queued") for s in states):
        return "queued" if all(s in ("waiting", "queued", "cancelled") for s in states) else "running"
    if "failed" in states:
        return "failed"
    return "cancelled" if "cancelled" in states else "completed"


def cell_state(wish: Wish, going: Mapping[str, Going]) -> tuple[CellState, str | None]:
    """The state of a wished-for cell, and the run that it has."""
    if wish.state != WANTED:
        return _SETTLED[wish.state], None
    if run := going.get(cell_step(*wish.cell).target):
        return _GOING[run.state], run.run_id
    for target in (f"checkpoint:{wish.checkpoint}", f"dataset:{wish.task}"):
        if run := going.get(target):
            return "preparing", run.run_id
    return "waiting", None


def _cell(store: Store, job: Job, wish: Wish, going: Mapping[str, Going]) -> Cell:
    state, run_id = cell_state(wish, going)
    cell = Cell(task=wish.task, state=state, reason=wish.reason, run_id=run_id)
    if state == "done":
        return cell.model_copy(update=_result(store, job, wish.task))
    if state == "running":
        return cell.model_copy(update=_progress(store, job, wish.task))
    return cell


def _result(store: Store, job: Job, task: str) -> dict[str, Any]:
    try:
        report = results.report(job.checkpoint, task, Variant.read(job.variant).id, store)
    except NotScored:
        return {"reason": "its report is not there any more"}
    names = ("value", "se", "ci_low", "ci_high", "n", "n_clusters", "coverage", "higher_is_better")
    metrics = {name: {k: m.get(k) for k in names} for name, m in report["metrics"].items()}
    return {"primary": report["primary"], "metrics": clean(metrics)}


def _progress(store: Store, job: Job, task: str) -> dict[str, Any]:
    """Answers that are stored, how fast they come, and how long the rest takes."""
    record, definition = datasets(store).get(task=task), load_task(task)
    fingerprint = find_checkpoint(store, job.checkpoint).fingerprint
    if record is None or fingerprint is None:
        return {}
    variant = Variant.read(job.variant)
    items = min(record["n_items"], variant.limit or record["n_items"])
    total = items * (variant.repeats or definition.repeats)
    table = open_table(OutputsTable(store.table("outputs", task, fingerprint)).uri)
    if table is None:
        return {"done": 0, "total": total}
    since = datetime.now(UTC) - timedelta(seconds=_RECENT)
    recent = table.count_rows(filter=f"`at` > timestamp {quoted(since.strftime('%Y-%m-%d %H:%M:%S.%f'))}")
    done = min(table.count_rows(), total)
    rate = recent / _RECENT
    eta = (total - done) / rate if rate else None
    return {"done": done, "total": total, "rate": rate, "eta_seconds": eta}


def queue(store: Store, jobs: Sequence[Job], going: Mapping[str, Going], limit: int) -> Queue:
    """All jobs by state, from one read of the ledger."""
    by_who: dict[str, list[Wish]] = {}
    for wish in in_order(wanted(store).rows("who LIKE 'job %'")):
        by_who.setdefault(wish.who, []).append(wish)
    found: dict[str, list[QueueEntry]] = {"pending": [], "running": [], "completed": []}
    for job in sorted(jobs, key=lambda j: (-j.priority, j.at)):
        states = [cell_state(w, going)[0] for w in by_who.get(job.who, [])]
        state = job_state(states)
        place = {"queued": "pending", "running": "running"}.get(state, "completed")
        found[place].append(
            QueueEntry(
                job_id=job.id, client=job.client, checkpoint=job.checkpoint, priority=job.priority, created_at=job.at,
                state=state, cells=dict(Counter(states)),
            )
        )  # fmt: skip
    latest = sorted(found["completed"], key=lambda e: e.created_at, reverse=True)[:limit]
    return Queue(pending=found["pending"], running=found["running"], completed=latest)
