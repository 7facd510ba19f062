"""Looking at a directory of checkpoints: what is whole, what is still being written, what has gone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from eval_assets.pipeline.holding import holds_of, keep_holds
from eval_assets.pipeline.ledger import FAILED, Wish, settle, wish_for, wishes
from eval_assets.pipeline.registering import changed_since, directory_key, folder_problem, from_directory, register
from eval_assets.settings import Settings, Watch
from resources.models.checkpoint import Checkpoint
from resources.models.conversion import HOLD_PREFIX
from resources.models.sharded import sharded_format
from resources.store import KeyRefused, Store, check_key
from resources.store.records import checkpoints, wanted
from resources.store.tables import quoted

# Seconds of quiet that a folder in a format of its own must show where `settle` says nothing.
UNKNOWN_SETTLE = 60.0


@dataclass
class Seen:
    """What one look found. wanted: checkpoints to evaluate now (new, or replaced in place).

    notes: what could not be done and stops nothing.
    """

    wanted: list[Checkpoint] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    tasks: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def look(store: Store, watch: Watch, settings: Settings, now: float | None = None) -> Seen:
    """One look: by names, sizes, times and file headers only, so that a tick stays short.

    New whole checkpoints are registered and their suite's cells wanted; a half-written one waits
    with its reason; of one that is gone, the cells that are still wanted fail.
    """
    seen = Seen(tasks=settings.suite(watch.suite))
    rows = checkpoints(store).rows(f"run = {quoted(watch.run_name)}")
    known = {row["checkpoint"]: Checkpoint.from_record(row) for row in rows}
    # One that is registered and was never wanted: somebody's by hand, or this very look was cut short.
    wished = {row["checkpoint"] for row in wanted(store).rows()}
    present = _by_key(watch)
    for key, folders in present.items():
        before = known.get(key) if key in wished else None
        try:
            problem, point = _look_at(folders, watch, before, time.time() if now is None else now)
        except FileNotFoundError as error:
            problem, point = f"{error.filename} went away while it was looked at", None
        if problem:
            seen.waiting[key] = problem
        elif point:
            seen.wanted.append(register(store, point))
    seen.gone = sorted(key for key, p in known.items() if key not in present and not Path(p.source).is_dir())
    _wish(store, seen, watch)
    seen.notes = _hold(store, watch, present)
    return seen


def _by_key(watch: Watch) -> dict[str, list[Path]]:
    """Checkpoint key -> the folders that claim it; a link such as `latest` is the folder that it leads to."""
    found: dict[str, list[Path]] = {}
    for folder in sorted({p.resolve() for p in watch.path.glob(watch.pattern) if p.is_dir()}):
        found.setdefault(directory_key(folder, watch.run_name), []).append(folder)
    return found


def _look_at(
    folders: list[Path], watch: Watch, before: Checkpoint | None, now: float
) -> tuple[str | None, Checkpoint | None]:
    """Why this checkpoint waits, or the checkpoint to evaluate; neither where there is nothing new."""
    if len(folders) > 1:
        names = ", ".join(p.name for p in folders)
        return f"{len(folders)} folders have the same step: {names}. Rename or remove all but one", None
    folder = folders[0]
    point = from_directory(folder, run=watch.run_name, model=watch.model, **watch.arguments)
    point = replace(point, suite=watch.suite)
    try:
        check_key(point.key)
    except KeyRefused as error:
        return str(error), None
    if before and before.source == point.source and (not before.fingerprint or not changed_since(before)):
        return None, None  # known, and hashed or about to be: no header is read again
    problem = folder_problem(folder, watch.arguments)
    return problem or _unsettled(folder, _settle(folder, watch), now), point


def _settle(folder: Path, watch: Watch) -> float:
    """Seconds for which nothing may have changed; of a format that nobody knows there is no other sign."""
    unknown = watch.convert and sharded_format(folder) is None
    return watch.settle or (UNKNOWN_SETTLE if unknown else 0.0)


def _unsettled(folder: Path, seconds: float, now: float) -> str | None:
    """For file systems where sizes lie: nothing may have changed for `seconds`."""
    if not seconds:
        return None
    files = [p for p in folder.rglob("*") if not p.name.startswith(HOLD_PREFIX)]
    latest = max((p.stat().st_mtime for p in files), default=now)
    return None if now - latest >= seconds else f"changed {now - latest:.0f} s ago"


def _hold(store: Store, watch: Watch, present: dict[str, list[Path]]) -> list[str]:
    """Bring the hold files of a watched directory up to what is still wanted; what could not be done."""
    rows = checkpoints(store).rows(f"run = {quoted(watch.run_name)}")
    folders = {row["checkpoint"]: Path(row["source"]) for row in rows}
    ours = {key: folder for key, folder in folders.items() if folder in present.get(key, ())}
    places = {watch.path.resolve(), *(folder.parent for folder in folders.values() if folder.is_absolute())}
    open_wishes = [(w.checkpoint, w.task, w.who, w.at) for w in wishes(store)] if watch.hold else []
    return keep_holds(holds_of(ours, open_wishes), places, f"{store.root} {watch.name}")


def _wish(store: Store, seen: Seen, watch: Watch) -> None:
    who = f"watch {watch.path}"
    wish_for(store, [Wish(p.key, task, who, watch.priority) for p in seen.wanted for task in seen.tasks])
    if gone := set(seen.gone):
        settle(store, [w for w in wishes(store) if w.checkpoint in gone], FAILED, "the checkpoint's folder is gone")
