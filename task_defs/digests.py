"""Digests of what a task's definition decides: the prompt apart from the label."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from task_defs.conversation import Turn
from task_defs.functions import source_digest
from task_defs.model import FunctionRef, TaskDef

# Raise by hand when the code here makes another prompt or label of the same definition.
_PROMPT_VERSION = 1
_LABEL_VERSION = 1
_DATA_VERSION = 1

_PROMPT_FIELDS = ("description", "doc_to_text", "doc_to_choice", "doc_to_visual", "output_type")
# Fields that came later: they count where they are given, so that no older task has another digest.
_LATER_PROMPT_FIELDS = ("system_prompt", "doc_to_messages", "video", "max_pixels", "min_pixels", "episode")
_DATA_FIELDS = (
    "dataset_path",
    "dataset_name",
    "dataset_revision",
    "test_split",
    "data_files",
    "data_folder",
    "source",
    "docs",
    "process_docs",
    "doc_to_id",
    "doc_to_visual",
    "doc_to_target",
    "cluster_key",
)
_LABEL_FIELDS = ("doc_to_target", "doc_to_choice", "cluster_key", "report_by")
_LATER_LABEL_FIELDS = ("group_fields",)


def _part(value: Any) -> Any:
    """A field as JSON: a function counts by its name and the source of its file, not by its path."""
    if isinstance(value, FunctionRef):
        return {"function": value.name, "source": source_digest(value)}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [asdict(entry) if isinstance(entry, Turn) else entry for entry in value]
    return value


def _hex(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def prompt_digest(task: TaskDef) -> str:
    """Hex digest of everything in the definition that decides what the model sees of a row.

    The same on every machine. The rows themselves and the generation parameters are not in it.
    """
    later = {name for name in _LATER_PROMPT_FIELDS if getattr(task, name) != TaskDef.model_fields[name].default}
    if task.scores_target:
        later.add("doc_to_target")
    fields = {field: _part(getattr(task, field)) for field in (*_PROMPT_FIELDS, *sorted(later))}
    return _hex([_PROMPT_VERSION, fields])


def label_digest_parts(task: TaskDef) -> dict[str, str]:
    """Hex digest of each field that decides label, choices, cluster and categories."""
    later = [field for field in _LATER_LABEL_FIELDS if getattr(task, field)]
    return {field: _hex([_LABEL_VERSION, _part(getattr(task, field))]) for field in (*_LABEL_FIELDS, *later)}


def label_digest(task: TaskDef) -> str:
    """`label_digest_parts` as one hex digest."""
    return _hex(label_digest_parts(task))


def data_digest(task: TaskDef) -> str:
    """Hex digest of everything in the definition that decides how the source's rows become items."""
    later = ("definition",) if task.definition else ()
    return _hex([_DATA_VERSION, {field: _part(getattr(task, field)) for field in (*_DATA_FIELDS, *later)}])
