"""Checkpoints: made known, looked at, hashed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval_assets.pipeline.cell import find_checkpoint
from resources.models import ModelUnusable
from resources.models.checkpoint import Checkpoint, step_of
from resources.models.conversion import absolute
from resources.models.derived import Log, quiet
from resources.models.identity import changed, identify, signature
from resources.models.presets import endpoint, key_variable
from resources.models.registry import check_model
from resources.models.sharded import unfinished
from resources.models.weights import checkpoint_problem
from resources.store import Store, check_key
from resources.store.records import checkpoints

# Seconds in which a folder that is not whole must change to be waited for.
ABANDONED = 600.0


def register(store: Store, checkpoint: Checkpoint) -> Checkpoint:
    """Make a checkpoint known, or bring what is known of it up to date."""
    checkpoint = checked(checkpoint)
    known = checkpoints(store).get(checkpoint=checkpoint.key)
    if known is not None and is_same(before := Checkpoint.from_record(known), checkpoint):
        return before
    store.ensure_writable()
    checkpoints(store).upsert([checkpoint.record()])
    return checkpoint


def checked(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint as it may be stored, paths in its arguments absolute. Raises KeyRefused and ModelUnusable."""
    check_key(checkpoint.key)
    check_model(checkpoint.model)
    if "api_key" in checkpoint.model_args:
        raise ModelUnusable("put the key into an environment variable and name that: api_key_env=NAME")
    if "api_key_env" in checkpoint.model_args:
        key_variable(checkpoint.model_args["api_key_env"])
    if checkpoint.model == "openai":
        endpoint(checkpoint.model_args.get("base_url"), checkpoint.model_args.get("preset"))
    return replace(checkpoint, model_args=absolute(checkpoint.model_args))


def is_same(a: Checkpoint, b: Checkpoint) -> bool:
    """Whether two checkpoints of one key are loaded from the same place in the same way."""
    return (a.model, a.source, dict(a.model_args)) == (b.model, b.source, dict(b.model_args))


def from_directory(path: Path, *, run: str | None = None, model: str = "transformers", **args: Any) -> Checkpoint:
    """A checkpoint folder as a checkpoint, with the key `<run>.<step>` where its name has a step."""
    path = path.expanduser().resolve()
    step = step_of(path.name)
    run = run or path.parent.name or "run"
    key = directory_key(path, run)
    created = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Checkpoint(key, model, str(path), args, run=run, step=step, created_at=created)


def directory_key(path: Path, run: str) -> str:
    """`<run>.<step>`, or `<run>.<name>` for a folder without a step in its name."""
    step = step_of(path.name)
    return f"{run}.{path.name if step is None else step}"


def folder_of(point: Checkpoint) -> Path | None:
    """The directory of weights that a checkpoint is; None for a hub id, an endpoint and recorded answers."""
    folder = Path(point.source)
    return folder if point.has_weights and folder.is_dir() else None


def folder_problem(folder: Path, args: Mapping[str, Any]) -> str | None:
    """Why a folder cannot be evaluated (yet) with these model arguments, or None. Looks, and reads headers."""
    if args.get("convert"):
        problem = unfinished(folder)
        return problem and f"{folder}: {problem}"
    return checkpoint_problem(folder, allow_pickle=bool(args.get("allow_pickle")), base=args.get("base"))


def still_written(point: Checkpoint, now: float | None = None) -> str | None:
    """Why a checkpoint's folder has to be waited for, or None.

    Raises ModelUnusable where it is not whole and nothing in it has changed for ten minutes: nobody writes it.
    """
    folder = folder_of(point)
    problem = folder_problem(folder, point.model_args) if folder else None
    if folder is None or problem is None:
        return None
    latest = max((p.stat().st_mtime for p in folder.rglob("*") if p.is_file()), default=folder.stat().st_mtime)
    if (time.time() if now is None else now) - latest > ABANDONED:
        raise ModelUnusable(f"checkpoint {point.key!r} is not whole, and has not changed for ten minutes: {problem}")
    return f"still being written: {problem}"


def identify_checkpoint(store: Store, key: str, *, again: bool = False, log: Log = quiet) -> Checkpoint:
    """The registered checkpoint with the fingerprint of what its source holds now.

    A folder is hashed only when names, sizes or times have changed since it was hashed last; one with
    a converter is converted first. What is no folder (a hub id, an endpoint) is asked for its identity
    once, and with `again`.
    Raises UnknownCheckpoint, and ModelUnusable where the source is incomplete or no model.
    """
    point = find_checkpoint(store, key)
    found = identified(point, again=again, log=log)
    if replace(found, problem=None) != point:
        checkpoints(store).upsert([found.record()])
    return found


def identified(point: Checkpoint, *, again: bool = False, log: Log = quiet) -> Checkpoint:
    """The same with the fingerprint of what its source holds now, by the rules of `identify_checkpoint`."""
    if folder := folder_of(point):
        if problem := folder_problem(folder, point.model_args):
            raise ModelUnusable(f"checkpoint {point.key!r} cannot be evaluated: {problem}")
        if point.fingerprint and not changed_since(point):
            return point
    elif point.fingerprint and not again:
        return point
    identity = identify(point.model, point.source, point.model_args, log)
    return point.with_identity(identity.fingerprint, identity.signature, identity.size)


def refuse_rewritten(point: Checkpoint) -> None:
    """Raises ModelUnusable where a model's files changed between their hashing and now, when they have been loaded."""
    if changed_since(point):
        raise ModelUnusable(f"{point.source} was written to while it was loaded: run the cell again")


def changed_since(point: Checkpoint) -> bool:
    """Whether a folder's files are no longer those that were hashed (names, sizes, times)."""
    folder = folder_of(point)
    return folder is not None and changed(folder, point.model_args, point.signature)


def source_signature(point: Checkpoint) -> str:
    """Of what the source looks like now: names, sizes and times of a folder's files."""
    folder = folder_of(point)
    return signature(folder, point.model_args) if folder else point.source


def run_of(store: Store, point: Checkpoint) -> list[Checkpoint]:
    """All checkpoints of the same run in order of step; without a run, only itself."""
    if point.run is None or point.step is None:
        return [point]
    rows = [Checkpoint.from_record(r) for r in checkpoints(store).rows() if r["run"] == point.run]
    return sorted((p for p in rows if p.step is not None), key=lambda p: p.step or 0)
