"""Looking at a directory of checkpoints: what is whole, what is still being written, what has gone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from eval_assets.pipeline.ledger import FAILED, Wish, wish_for, wishes
from eval_assets.pipeline.registering import changed_since, from_directory, register
from eval_assets.settings import Settings, Watch
from resources.models.checkpoint import Checkpoint
from resources.models.weights import checkpoint_problem
from resources.store import Store, check_key
from resources.store.records import checkpoints
from resources.store.tables import quoted


@dataclass
class Seen:
    """What one look found. wanted: checkpoints to evaluate now (new, or replaced in place)."""

    wanted: list[Checkpoint] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    tasks: tuple[str, ...] = ()


def look(store: Store, watch: Watch, settings: Settings, now: float | None = None) -> Seen:
    """One look: by names, sizes, times and file headers only, so that a tick stays short.

    New whole checkpoints are registered and their suite's cells wanted; a half-written one waits
    with its reason; of one that is gone, the cells that are still wanted fail.
    """
    seen = Seen(tasks=settings.suite(watch.suite))
    rows = checkpoints(store).rows(f"run = {quoted(watch.run_name)}")
    known = {row["checkpoint"]: Checkpoint.from_record(row) for row in rows}
    present: set[str] = set()
    for folder in sorted(p for p in watch.path.glob(watch.pattern) if p.is_dir()):
        point = _as_checkpoint(folder, watch)
        present.add(point.key)
        before = known.get(point.key)
        if before and before.source == point.source and (not before.fingerprint or not changed_since(before)):
            continue  # known, and hashed or about to be: no header is read again
        problem = checkpoint_problem(folder, allow_pickle=bool(watch.model_args.get("allow_pickle")))
        problem = problem or _unsettled(folder, watch.settle, time.time() if now is None else now)
        if problem:
            seen.waiting[point.key] = problem
        else:
            seen.wanted.append(register(store, point))
    seen.gone = sorted(set(known) - present)
    _wish(store, seen, watch)
    return seen


def _as_checkpoint(folder: Path, watch: Watch) -> Checkpoint:
    point = from_directory(folder, run=watch.run_name, model=watch.model, **watch.model_args)
    check_key(point.key)
    return replace(point, suite=watch.suite)


def _unsettled(folder: Path, seconds: float, now: float) -> str | None:
    """For file systems where sizes lie: nothing may have changed for `seconds`."""
    if not seconds:
        return None
    latest = max((p.stat().st_mtime for p in folder.iterdir()), default=now)
    return None if now - latest >= seconds else f"changed {now - latest:.0f} s ago"


def _wish(store: Store, seen: Seen, watch: Watch) -> None:
    new = [
        Wish(p.key, task, f"watch {watch.path}", watch.priority)
        for p in seen.wanted
        for task in seen.tasks
    ]
    gone = set(seen.gone)
    lost = [
        replace(w, state=FAILED, reason="the checkpoint's folder is gone")
        for w in (wishes(store) if gone else [])
        if w.checkpoint in gone
    ]
    wish_for(store, [*new, *lost])
