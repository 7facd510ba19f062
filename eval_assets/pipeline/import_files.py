"""Several logs at once, such as the folder of a run: one checkpoint, one task a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eval_assets.pipeline.importers import ImportRefused, Log, Options, looks_like_log, open_log
from eval_assets.pipeline.importing import Imported, Rules, import_log
from resources.store import Store
from task_defs import TaskDef, TaskError, load_task


@dataclass
class Batch:
    """done: what was imported. found: of each file, what it was recognised as.

    left_out: files that are no log of a task that is here, with the reason; failures: files that were refused.
    """

    done: list[Imported] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def import_files(
    store: Store,
    paths: Sequence[Path],
    name: str,
    *,
    tasks: Sequence[str] = (),
    format: str | None = None,
    options: Options | None = None,
    rules: Rules | None = None,
    prepare: Callable[[TaskDef], None] = lambda task: None,
) -> Batch:
    """Import each file for its task; of several, one that is refused does not keep the others from it.

    paths:   files, or folders whose logs (by their names) are taken.
    tasks:   the task of the file, or `theirs=ours`; without, the log's own name of it.
    prepare: called with each task before its items are needed: brings them into the store.
    Raises ImportRefused where a single file is refused, where two files answer one task, or where the logs name
    different models.
    """
    options = options or Options()
    batch, renamed, only = Batch(), dict[str, str](), list[str]()
    for entry in tasks:
        theirs, separator, ours = entry.partition("=")
        if separator:
            renamed[theirs] = ours
        else:
            only.append(entry)
    files = _files(paths)
    alone = len(files) == 1 and not any(path.is_dir() for path in paths)
    if len(only) > 1 or (only and len(files) > 1):
        raise ImportRefused(f"{len(files)} files for the task {', '.join(only)}: give --task THEIRS=OURS for each name")
    chosen: dict[str, tuple[Log, TaskDef]] = {}
    for path in files:
        try:
            log = open_log(path, options, format)
            task = _task(log, only, renamed)
        except (ImportRefused, TaskError) as error:
            if alone:
                raise
            kept_apart = batch.left_out if isinstance(error, TaskError) else batch.failures
            kept_apart[str(path)] = str(error)
            continue
        if task.task in chosen:
            raise ImportRefused(f"{chosen[task.task][0].path} and {path} both answer {task.task}: name one of them")
        chosen[task.task] = (log, task)
        batch.found[path.name] = log.found
    _refuse_several_models([log for log, _ in chosen.values()])
    for log, task in chosen.values():
        prepare(task)
        try:
            batch.done.append(import_log(store, log, task, name, rules, options))
        except ImportRefused as error:
            if alone:
                raise
            batch.failures[str(log.path)] = str(error)
    if not batch.done and not batch.failures:
        raise ImportRefused(
            "nothing was imported: " + ("; ".join(f"{p}: {why}" for p, why in batch.left_out.items()) or "no logs")
        )
    return batch


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.rglob("*") if p.is_file() and looks_like_log(p))
        if not inside:
            raise ImportRefused(
                f"no log in {path}: of a folder, *_samples_*.jsonl, samples_*.jsonl and *.eval are taken; name others"
            )
        found += inside
    return found


def _task(log: Log, only: Sequence[str], renamed: dict[str, str]) -> TaskDef:
    """Raises ImportRefused where nothing says which task it is, TaskError where there is no such one."""
    if only:
        return load_task(only[0])
    name = log.task
    if name is None:
        raise ImportRefused(f"{log.path} does not say which task it answers: name it by --task")
    try:
        return load_task(renamed.get(name, name))
    except TaskError as error:
        if name in renamed:
            raise ImportRefused(f"{log.path}: --task {name}={renamed[name]}: {error}") from error
        raise TaskError(
            f"{log.path} answers {name!r}, and no task is called so: --task {name}=OURS ({error})"
        ) from error


def _refuse_several_models(logs: Sequence[Log]) -> None:
    models = {log.model: log.path for log in logs if log.model}
    if len(models) > 1:
        named = ", ".join(f"{model} ({path.name})" for model, path in list(models.items())[:4])
        raise ImportRefused(f"the logs are of different models: {named}: import each model under a name of its own")
