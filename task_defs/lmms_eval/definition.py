"""An lmms-eval task as a TaskDef: its rows come out of its own functions, everything after that is ours."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from task_defs.errors import TaskError
from task_defs.generation import GenerationKwargs
from task_defs.lmms_eval.client import START_SECONDS, FunctionFailed, Worker, WorkerLost, worker_for
from task_defs.lmms_eval.install import PREFIX, Installed, definition_of, family_of, yaml_of
from task_defs.model import FunctionRef, TaskDef
from task_defs.sources.locate import data_roots_from_env

# Bump when the code here makes other rows, prompts or verdicts of the same definition.
BRIDGE_VERSION = 1
# The row's fields that hold what lmms-eval's functions made of it; the others are the benchmark's own.
MESSAGES, MEDIA, TARGET, CHOICES = "lmms_messages", "lmms_media", "lmms_target", "lmms_choices"
OURS = (MESSAGES, MEDIA, TARGET, CHOICES)
_ROWS = FunctionRef(name="rows.docs", file=Path(__file__).parent / "rows.py")
_GENERATION = ("max_new_tokens", "max_gen_toks", "max_tokens", "temperature", "top_p", "top_k", "do_sample", "seed")


def load(full_name: str) -> TaskDef:
    """The task `lmms_eval:<name>`. Raises TaskError: not installed, unknown, or not one that can be run here."""
    name = full_name.removeprefix(PREFIX)
    found, path = yaml_of(name)
    definition = f"{BRIDGE_VERSION}.{definition_of(found, path)}"
    told = _described(found, path, name, definition)
    if reason := unsupported(told):
        raise TaskError(f"task {full_name}: {reason}", full_name)
    multiple = told["output_type"] == "multiple_choice"
    return TaskDef(
        task=full_name,
        dataset_path=told["dataset_path"] or "",
        dataset_name=told["dataset_name"],
        dataset_revision=told["revision"],
        test_split=told["split"],
        data_folder=_folder(told["dataset_path"] or name),
        docs=_ROWS,
        definition=definition,
        doc_to_messages=MESSAGES,
        doc_to_visual=(MEDIA,),
        doc_to_target=TARGET,
        doc_to_choice=CHOICES if multiple else None,
        output_type="multiple_choice" if multiple else "generate_until",
        generation_kwargs=_generation(told, full_name),
        repeats=told["repeats"] or 1,
        judge={
            "name": "lmms_eval",
            "task": name,
            "definition": definition,
            "metrics": _metrics(told),
            "score_key": told["score_key"],
        },
        metadata={"lmms_eval": {**told, "yaml": str(path), "version": found.version}},
    )


def _folder(dataset: str) -> str:
    """Tasks that read one data set share its folder below EVAL_DATA, and their media."""
    parts = [part for part in Path(dataset).parts if part not in ("/", "..", ".")]
    return "/".join(parts) or "data"


def unsupported(told: dict[str, Any]) -> str | None:
    """Why a task that loads cannot be run here."""
    if not told["supported"]:
        return f"output_type {told['output_type']}: what is asked next depends on the model's own answers or pictures"
    if told["output_type"] == "loglikelihood":
        return "output_type loglikelihood needs to know whether the text is the greedy one"
    if told["full_docs"]:
        return "its process_results wants all rows at once (full_docs)"
    if told["pictures_in_results"]:
        return "its process_results wants the pictures (process_results_use_image)"
    if not told["split"]:
        return "it names neither test_split nor validation_split"
    return None


def _described(found: Installed, path: Path, name: str, definition: str) -> dict[str, Any]:
    """The task's configuration, kept in the user's cache folder: to ask for it costs seconds of imports."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    kept = Path(base).expanduser() / "eval-assets" / "lmms-eval" / definition[:32] / f"{name.replace('/', '_')}.json"
    try:
        return dict(json.loads(kept.read_text()))
    except (OSError, ValueError):
        pass  # not there yet, or half written by something else
    told = describe(found, path, name)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False) as file:
        file.write(json.dumps(told))
    os.replace(file.name, kept)
    return told


def describe(found: Installed, path: Path, name: str) -> dict[str, Any]:
    """What a task is, as its process tells. Raises TaskError with the reason why it cannot be loaded."""
    return describe_with(worker_for(found, family_of(found, path)), path, name)


def describe_with(worker: Worker, path: Path, name: str) -> dict[str, Any]:
    """The same, asked of a process that is there."""
    try:
        return dict(worker.ask("describe", START_SECONDS, path=str(path), name=name))
    except FunctionFailed as error:
        raise TaskError(f"task {PREFIX}{name} cannot be loaded: {error}", PREFIX + name) from error
    except WorkerLost as error:
        raise TaskError(f"task {PREFIX}{name}: {error}", PREFIX + name) from error


def home_of(told: dict[str, Any]) -> Path | None:
    """The folder of EVAL_DATA that holds the task's media, where its functions look below HF_HOME/<cache_dir>."""
    name = told["cache_dir"]
    return next((root.resolve() for root in data_roots_from_env() if name and (root / name).is_dir()), None)


def _generation(told: dict[str, Any], name: str) -> GenerationKwargs:
    """The task's generation parameters as ours; those that only some of lmms-eval's models read are left out.

    `until` is left out where it is lmms-eval's default (an empty line), which its chat models do not apply.
    """
    given = {k: v for k, v in told["generation_kwargs"].items() if k in _GENERATION and v is not None}
    if given.get("max_new_tokens") is not None:
        given.pop("max_tokens", None)
        given.pop("max_gen_toks", None)
    if not 0 < float(given.get("top_p", 1)) < 1:
        given.pop("top_p", None)  # 0 and 1 are both ways to write: not used
    if given.get("temperature") == 0 or given.get("do_sample") is False:
        given.update(temperature=0.0)
        given.pop("do_sample", None)
    elif "temperature" in given:
        given["temperature"] = float(given["temperature"])
    stop = told["generation_kwargs"].get("until") if told["own_until"] else None
    stops = [stop] if isinstance(stop, str) else list(stop or [])
    try:
        return GenerationKwargs.model_validate({**given, "stop": [s for s in stops if s]})
    except ValidationError as error:
        raise TaskError(f"task {name}: generation_kwargs {told['generation_kwargs']}: {error}", name) from error


def _metrics(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Each metric under each filter, in the task's order."""
    filters = told["filters"]
    names = [f",{f}" for f in filters] if len(filters) > 1 else [""]
    return [{**metric, "metric": metric["metric"] + suffix} for metric in told["metrics"] for suffix in names]
