"""What one pass over a cell did, and what stops it from being complete."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

from eval_assets.pipeline.answered import responses_digest
from eval_assets.pipeline.cell import Cell
from eval_assets.pipeline.failures import Failures
from eval_assets.pipeline.questions import dataset_record
from eval_assets.versions import digest
from resources.models.budget import Spend
from resources.store import Store


class InferenceIncomplete(RuntimeError):
    """Some requests failed in a way that may pass; everything that was answered is kept."""


@dataclass
class Inferred:
    """What was done for a cell. version: the outputs' data version."""

    version: str = ""
    rows: int = 0
    asked: int = 0
    reused: int = 0
    errors: int = 0  # permanent ones, kept as rows
    missing_media: int = 0
    unasked: int = 0  # items of which the definition makes no question
    fitted: int = 0  # requests with fewer frames than the task says, which the model's context does not hold
    observed: dict[str, Any] = field(default_factory=dict)  # what the model's engine counted meanwhile
    spend: dict[str, Any] = field(default_factory=dict)  # tokens and money of this run, as far as known
    served_by: dict[str, int] = field(default_factory=dict)  # models that the endpoint named, with their answers


def conclude(done: Inferred, cell: Cell, store: Store, failures: Failures, spend: Spend, wanted: array[int]) -> None:
    """Version and cost of a pass that lacks nothing. wanted: see `responses_digest`.

    Raises InferenceIncomplete where requests failed that another run may get answered, or where the task's items were
    ingested anew while they were asked.
    """
    if failures.count:
        raise InferenceIncomplete(
            f"{failures.count} requests failed ({failures}). "
            f"{done.asked} answers of this run are kept: run the cell again and only the rest is asked."
        )
    if dataset_record(store, cell.task)["version"] != cell.dataset_version:
        raise InferenceIncomplete(f"the data set of {cell.task.task} changed meanwhile: run again, answers are kept")
    done.version = digest([cell.key, responses_digest(cell.outputs(store), wanted)])
    done.spend = spend.record(cell.prices)
