"""What goes over the wire: requests with examples, answers with units."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]
CellState = Literal["waiting", "preparing", "queued", "running", "done", "failed", "cancelled"]
JobState = Literal["queued", "running", "completed", "failed", "cancelled"]


class EvaluateRequest(BaseModel):
    """A checkpoint and what to evaluate it on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"model": "vllm", "model_args": {"pretrained": "/runs/exp7/step-4000"}, "tasks": ["mmmu_val", "mme"]},
                {"checkpoint": "exp7.4000", "tasks": ["quick"], "priority": 5},
            ]
        },
    )

    model: Name | None = Field(None, description="A backend (transformers, vllm, ...) or an entry of models.yaml.")
    tasks: list[Name] = Field(min_length=1, max_length=1000, description="Tasks or suites.")
    model_args: dict[str, Any] = Field(default_factory=dict, description="`pretrained`: folder, hub id, s3://, upload:")
    checkpoint: Name | None = Field(None, description="The checkpoint's key; one that is registered needs no model.")
    run: Name | None = Field(None, description="The training run it belongs to (default: from the folder's name).")
    step: int | None = Field(None, ge=0, lt=2**62, description="Its training step (default: from the folder's name).")
    limit: int | None = Field(None, ge=1, lt=2**31, description="Only the first items: a variant.")
    repeats: int | None = Field(None, ge=1, le=1000, description="Samples an item: a variant.")
    gen_kwargs: dict[str, Any] = Field(default_factory=dict, description="Generation parameters: a variant.")
    priority: int = Field(0, ge=-1000, le=1000, description="Higher ones go first.")


class Cell(BaseModel):
    """A job's checkpoint on one task. done, total: answers; rate: answers a second; eta_seconds: None: not known.

    state: `waiting` in the ledger, `preparing` (checkpoint hashed or data ingested), `queued` in Dagster, ...
    metrics: of a cell that is done: name -> value with its interval, as `evals report` has them.
    """

    task: str
    state: CellState
    reason: str = ""
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    eta_seconds: float | None = None
    run_id: str | None = None
    primary: str | None = None
    metrics: dict[str, dict[str, Any]] | None = None


class JobView(BaseModel):
    """A job as it stands. queue_position: cells of others that go first; 0: it is next or runs; None: it has ended."""

    job_id: str
    state: JobState
    client: str
    checkpoint: str
    tasks: list[str]
    variant: str = ""
    priority: int = 0
    created_at: datetime
    queue_position: int | None = None
    note: str = ""
    cells: list[Cell]


class QueueEntry(BaseModel):
    """A job in the queue; `cells` counts them by state."""

    job_id: str
    client: str
    checkpoint: str
    priority: int
    created_at: datetime
    state: JobState
    cells: dict[str, int]


class Queue(BaseModel):
    """Jobs by state; ended ones the latest first, `limit` at most."""

    pending: list[QueueEntry]
    running: list[QueueEntry]
    completed: list[QueueEntry]


class TaskEntry(BaseModel):
    """items: how many are in the store; None: not ingested yet."""

    task: str
    items: int | None = None
    suites: list[str] = []


class Models(BaseModel):
    """backends: what `model` takes; named: entries of models.yaml; checkpoints: what is registered."""

    backends: list[str]
    named: list[str]
    checkpoints: list[str]


class UploadFile(BaseModel):
    """A file of a checkpoint folder: its path in it, bytes, hex SHA-256."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    size: int = Field(ge=0, lt=2**50)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class UploadRequest(BaseModel):
    """The manifest of a checkpoint folder. The same manifest is the same upload, resumed where it stopped."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"files": [{"path": "config.json", "size": 512, "sha256": "0" * 64}]}],
        },
    )

    files: list[UploadFile] = Field(min_length=1, max_length=2000)


class Upload(BaseModel):
    """missing: file -> bytes that are there already. source: what `pretrained` takes once it is complete."""

    upload_id: str
    source: str
    complete: bool
    missing: dict[str, int]


class Problem(BaseModel):
    """What went wrong, and what to do."""

    detail: str
