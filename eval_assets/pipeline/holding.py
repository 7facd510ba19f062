"""Hold files: what tells a trainer's clean-up that a checkpoint is still to be evaluated.

A file `.evals-hold-<id>.<folder>` beside the checkpoint's folder, not in it: a file inside would change
the folder's time, by which trainers choose what to delete. The id is the evaluating project's: two that
watch one directory do not release each other's checkpoints.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from resources.models.conversion import HOLD_PREFIX


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a folder is still needed: the checkpoint's key, the tasks that are open, who wants them, since when."""

    folder: Path
    checkpoint: str
    tasks: tuple[str, ...]
    who: tuple[str, ...]
    since: datetime

    def text(self) -> str:
        said = {
            "checkpoint": self.checkpoint,
            "tasks": sorted(self.tasks),
            "who": sorted(set(self.who)),
            "since": self.since.astimezone(UTC).isoformat(timespec="seconds"),
        }
        return json.dumps(said, indent=2) + "\n"


def keep_holds(holds: Iterable[Hold], places: Iterable[Path], project: str) -> list[str]:
    """Write the hold files that are needed, remove this project's others in `places`; what could not be done.

    project: what tells this evaluation from others, such as its EVAL_HOME. Each call touches the
    files, so that a trainer can tell one that nobody minds any more by its age. A directory that cannot
    be written is no failure: it is said, and the evaluation goes on.
    """
    prefix = HOLD_PREFIX + sha256(project.encode()).hexdigest()[:8]
    needed = {hold.folder.parent / f"{prefix}.{hold.folder.name}": hold for hold in holds}
    problems = [said for file, hold in sorted(needed.items()) if (said := _write(file, hold))]
    for place in sorted(set(places)):
        for file in sorted(place.glob(f"{prefix}.*")):
            if file not in needed and (said := _remove(file)):
                problems.append(said)
    return problems


def holds_of(folders: Mapping[str, Path], wishes: Iterable[tuple[str, str, str, datetime | None]]) -> list[Hold]:
    """What open wishes (checkpoint, task, who, since) need of the folders, by checkpoint key."""
    wanted: dict[str, list[tuple[str, str, datetime]]] = {}
    for key, task, who, at in wishes:
        if key in folders:
            wanted.setdefault(key, []).append((task, who, at or datetime.now(UTC)))
    return [
        Hold(folders[key], key, tuple(t for t, _, _ in rows), tuple(w for _, w, _ in rows), min(a for _, _, a in rows))
        for key, rows in wanted.items()
    ]


def _write(file: Path, hold: Hold) -> str | None:
    temporary = file.with_name(f"{file.name}.writing")  # begins like a hold: one that was left is removed
    try:
        if file.is_file() and file.read_text() == hold.text():
            os.utime(file)
        else:
            temporary.write_text(hold.text())
            os.replace(temporary, file)
    except OSError as error:
        return f"{hold.folder} cannot be held, the trainer may delete it: {file.parent}: {error.strerror or error}"
    return None


def _remove(file: Path) -> str | None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        return f"{file} cannot be removed: {error.strerror or error}"
    return None
