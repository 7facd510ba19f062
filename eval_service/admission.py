"""What a submitted job may do: arguments that run nothing, paths below the roots, names that exist."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.naming import checkpoint_of
from eval_assets.pipeline.registering import checked, source_signature
from eval_assets.settings import Settings
from eval_assets.versions import digest
from eval_service import fetching
from eval_service.arguments import Refused, check_arguments
from eval_service.fresh import Fresh
from eval_service.jobs import Job, Submission
from eval_service.schemas import EvaluateRequest
from eval_service.settings import ServiceSettings
from eval_service.uploads import UploadFolders
from resources.models import ModelUnusable
from resources.models.checkpoint import Checkpoint, step_of
from resources.models.configured import load_models
from resources.models.registry import model_names, source_of
from resources.store import Store
from task_defs import GenerationKwargs, TaskDef, TaskError, list_tasks, load_task
from task_defs.errors import nearest

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# Seconds after which files of tasks, and the entry of a checkpoint, are looked at again.
_TASKS, _CHECKPOINT = 5.0, 1.0


class Admission:
    """Turns requests into jobs. Raises Refused, TaskError, ModelUnusable, UnknownCheckpoint, KeyRefused."""

    def __init__(self, store: Store, settings: ServiceSettings, uploads: UploadFolders) -> None:
        self.store, self.settings, self.uploads = store, settings, uploads
        self._tasks: Fresh[TaskDef] = Fresh(_TASKS)
        self._names: Fresh[frozenset[str]] = Fresh(_TASKS)
        self._points: Fresh[Checkpoint] = Fresh(_CHECKPOINT)

    def job(self, request: EvaluateRequest, client: str, project: Settings) -> Submission:
        """The job that a request asks for, and its checkpoint as it would be registered."""
        tasks = self._task_names(request.tasks, project)
        variant = Variant(request.limit, request.repeats, _generation(request.gen_kwargs))
        point, fetched = self._checkpoint(request, client, project)
        asked = request.model_dump(mode="json", exclude_defaults=True)
        # What the folder holds is part of it: a checkpoint that was replaced is another job, a repeated call is not.
        identity = [client, point.key, point.model, point.source, dict(point.model_args), fetched or
                    source_signature(point), tasks, variant.text()]  # fmt: skip
        job = Job(
            digest(identity)[:16], client, point.key, tuple(tasks), variant.text(), asked, request.priority,
        )  # fmt: skip
        return Submission(job, point, fetched)

    # --- tasks --------------------------------------------------------------------------------

    def _task_names(self, names: list[str], project: Settings) -> list[str]:
        found = list(dict.fromkeys(task for name in names for task in project.suites.get(name, (name,))))
        for name in found:
            self._tasks.get(name, lambda name=name: self._task(name, project))  # type: ignore[misc]
        return found

    def _task(self, name: str, project: Settings) -> TaskDef:
        if name not in (known := self.known_tasks(name)):
            raise TaskError(f"unknown task '{name}': {nearest(name, {*known, *project.suites})}", name)
        return load_task(name)

    def known_tasks(self, wanted: str = "") -> frozenset[str]:
        """Names of all tasks, looked at again after some seconds, and at once for one that was not there."""
        names = self._names.get("", lambda: frozenset(list_tasks()))
        return frozenset(list_tasks()) if wanted and wanted not in names else names

    # --- checkpoints --------------------------------------------------------------------------

    def _checkpoint(self, request: EvaluateRequest, client: str, project: Settings) -> tuple[Checkpoint, str]:
        """The checkpoint, and what is still to be fetched for it."""
        check_arguments(request.model_args, self.settings)
        named = load_models().models
        if request.model is None:
            if request.model_args:
                raise Refused("model_args need `model`: a backend, or an entry of models.yaml")
            if request.checkpoint is None:
                raise Refused("name a `model` or a registered `checkpoint`")
            return self._registered(request.checkpoint), ""
        if request.model in named:
            point = checkpoint_of(self.store, request.model, None, request.model_args)
            return checked(_named(point, request)), ""
        if request.model not in model_names():
            near = get_close_matches(request.model, [*model_names(), *named], n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join([*model_names(), *named])}"
            raise Refused(f"unknown model {request.model!r}: {hint}")
        source = source_of(request.model, request.model_args)
        if source is None:
            raise Refused(f"model {request.model!r} needs model_args: {{'pretrained': folder or hub id}}")
        source, fetched = self._source(source, request.model, client, project)
        args = {k: v for k, v in request.model_args.items() if k not in ("pretrained", "model")}
        if "base" in args:
            args["base"], elsewhere = self._source(args["base"], request.model, client, project)
            if elsewhere:
                raise Refused("model_args: base is a folder on the server, a hub id or an upload, not an s3:// path")
        point = self._at(source, fetched, request, args)
        return checked(_named(point, request)), fetched

    def _registered(self, name: str) -> Checkpoint:
        """A checkpoint by its key."""
        return self._points.get(name, lambda: checkpoint_of(self.store, name, None, {}))

    def _at(self, source: str, fetched: str, request: EvaluateRequest, args: Mapping[str, Any]) -> Checkpoint:
        assert request.model is not None
        if fetched or Path(source).is_relative_to(self.uploads.folder):
            # The folder's own name says nothing: the run and the step are those of where it came from, or are named.
            name = request.checkpoint or fetching.name_of(fetched) or Path(source).name
            step = request.step if request.step is not None else step_of(name.rpartition(".")[2])
            run = request.run or name.rpartition(".")[0] or None
            return Checkpoint(name, request.model, source, args, run=run, step=step)
        if Path(source).is_dir():
            return checkpoint_of(self.store, source, request.model, args, run=request.run, step=request.step)
        return Checkpoint(request.checkpoint or source, request.model, source, args, run=request.run, step=request.step)

    def _source(self, source: str, model: str, client: str, project: Settings) -> tuple[str, str]:
        """Where the weights are or will be on this machine, and the `s3://` path that they come from."""
        if model in ("openai", "recorded"):
            return source, ""
        if source.startswith("upload:"):
            return str(self.uploads.of(client).complete_folder(source.removeprefix("upload:"))), ""
        roots = [*self.settings.roots, *(str(w.path) for w in project.watch)]
        if source.startswith("s3://"):
            if not fetching.is_plain(source):
                raise Refused(f"{source!r}: give the path alone; region and endpoint are the server's to configure")
            path = fetching.tidy(source)
            if not any(r.startswith("s3://") and fetching.is_below(path, r) for r in roots):
                raise Refused(f"{source} lies below none of service.roots in evals.yaml")
            return str(fetching.folder_for(path, self.uploads.folder)), path
        if source.startswith("/"):
            return str(_below(source, [Path(r).expanduser() for r in roots if "://" not in r])), ""
        if not _HUB_ID.fullmatch(source) or ".." in source:
            raise Refused(f"{source!r} is neither an absolute path nor a hub id such as owner/name")
        return source, ""


def _below(source: str, roots: list[Path]) -> Path:
    """The folder, links resolved, if it lies below a root."""
    path = Path(source).resolve()
    if not any(path.is_relative_to(root.resolve()) for root in roots):
        raise Refused(f"{source} lies below none of service.roots in evals.yaml")  # whether it exists is not told
    if not path.is_dir():
        raise ModelUnusable(f"no directory {source}")
    return path


def _named(point: Checkpoint, request: EvaluateRequest) -> Checkpoint:
    """Under the key, run and step that the request gives it."""
    step = request.step if request.step is not None else point.step
    return replace(point, key=request.checkpoint or point.key, run=request.run or point.run, step=step)


def _generation(given: Mapping[str, Any]) -> dict[str, Any]:
    """Generation parameters in the project's own names. Raises Refused."""
    from pydantic import ValidationError

    try:
        return GenerationKwargs.overrides(given)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise Refused(f"gen_kwargs: {faults}") from error
