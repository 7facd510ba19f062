"""Results and what there is to evaluate; and whether all is well."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from eval_assets import results
from eval_assets.compare import paired_comparison
from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.pipeline.files import clean
from eval_assets.settings import load_settings
from eval_service.auth import needs
from eval_service.names import named_task
from eval_service.schemas import Models, Problem, TaskEntry
from eval_service.service import Service
from resources.models.configured import load_models
from resources.models.registry import model_names
from resources.store.records import checkpoints, datasets

router = APIRouter(tags=["results"])
_PROBLEMS = {code: {"model": Problem} for code in (401, 403, 422, 429)}
_OF_A_CELL = {**_PROBLEMS, 404: {"model": Problem}, 409: {"model": Problem}}


@router.get("/tasks", dependencies=[needs("read")], responses=_PROBLEMS)
def tasks(request: Request) -> list[TaskEntry]:
    """Tasks that can be evaluated, and the suites that they are in."""
    service: Service = request.app.state.service
    stored = {row["task"]: row["n_items"] for row in datasets(service.store).rows()}
    suites = load_settings().suites
    return [
        TaskEntry(task=name, items=stored.get(name), suites=[s for s, names in suites.items() if name in names])
        for name in sorted(service.admission.known_tasks())
    ]


@router.get("/models", dependencies=[needs("read")], responses=_PROBLEMS)
def models(request: Request) -> Models:
    """Backends, named models and registered checkpoints."""
    service: Service = request.app.state.service
    rows = checkpoints(service.store).rows()
    return Models(
        backends=model_names(), named=sorted(load_models().models), checkpoints=sorted(r["checkpoint"] for r in rows)
    )


@router.get("/results/{checkpoint:path}/{task}", dependencies=[needs("read")], responses=_OF_A_CELL)
def result(request: Request, checkpoint: str, task: str, variant: str = "") -> dict[str, Any]:
    """The report of a cell: every metric with its interval, by category."""
    service: Service = request.app.state.service
    find_checkpoint(service.store, checkpoint)
    task = named_task(service, task).task
    return dict(clean(results.report(checkpoint, task, variant, service.store)))


@router.get("/compare", dependencies=[needs("read")], responses=_OF_A_CELL)
def compare(
    request: Request, a: str, b: str, tasks: Annotated[list[str] | None, Query()] = None,
    margin: Annotated[float | None, Query(ge=0, lt=1)] = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """a minus b, item by item, with intervals; p also corrected by Holm over the tasks."""
    service: Service = request.app.state.service
    for task in tasks or ():
        named_task(service, task)
    for name in (a, b):
        find_checkpoint(service.store, name)
    return list(clean(paired_comparison(a, b, tasks, margin=margin, store=service.store)))


@router.get("/healthz", tags=["operation"], responses={503: {"model": Problem}})
def healthz(request: Request, response: Response) -> dict[str, str]:
    """Whether jobs are taken and drained; 503 says what to start. Needs no token, and tells nothing else."""
    service: Service = request.app.state.service
    problem = service.queue.problem()
    response.status_code = 503 if problem else 200
    return {"detail": problem} if problem else {"status": "ok"}
