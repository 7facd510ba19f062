"""Jobs: submitted, looked at, followed, cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from eval_service.auth import Reader, Submitter
from eval_service.jobs import Job, all_jobs, find_job
from eval_service.schemas import EvaluateRequest, JobView, Problem, Queue
from eval_service.service import Service
from eval_service.views import queue

router = APIRouter(tags=["jobs"])
_ENDED = ("completed", "failed", "cancelled")
_LOOK = 1.0  # seconds between two looks at a job that is followed
_PROBLEMS = {code: {"model": Problem} for code in (401, 403, 422, 429, 503)}
_OF_A_JOB = {**_PROBLEMS, 404: {"model": Problem}}


def _found(
    request: Request, job_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="As POST /evaluate gave it.")]
) -> Job:
    service: Service = request.app.state.service
    return find_job(service.store, job_id)


Found = Annotated[Job, Depends(_found)]


async def _followed(request: Request, client: Reader) -> AsyncIterator[None]:
    """While the stream lasts; before it begins there can still be a refusal."""
    service: Service = request.app.state.service
    with service.followers.one(client.name):
        yield


@router.post(
    "/evaluate", status_code=202,
    responses={**_PROBLEMS, 200: {"model": JobView, "description": "It was submitted before."},
               404: {"model": Problem}, 409: {"model": Problem}, 413: {"model": Problem}, 507: {"model": Problem}},
)  # fmt: skip
async def evaluate(request: Request, response: Response, wanted: EvaluateRequest, client: Submitter) -> JobView:
    """Want a checkpoint evaluated. Returns at once; the same request again is the same job."""
    service: Service = request.app.state.service
    job, new = await service.submit(wanted, client)
    response.status_code = 202 if new else 200
    response.headers["Location"] = f"/jobs/{job.id}"
    return service.accepted(job) if new else await asyncio.to_thread(service.view, job)


@router.get("/jobs/{job_id}", responses=_OF_A_JOB)
def job(request: Request, client: Reader, found: Found) -> JobView:
    """A job's state, the progress of its cells, and the metrics of those that are done."""
    service: Service = request.app.state.service
    return service.view(found)


@router.delete("/jobs/{job_id}", responses=_OF_A_JOB)
def cancel(request: Request, client: Submitter, found: Found) -> JobView:
    """Cancel a job, what runs of it included. Answers that are stored stay; cells that others want go on."""
    service: Service = request.app.state.service
    if found.client != client.name and not client.may("admin"):
        raise HTTPException(403, f"job {found.id} is another client's: an admin may cancel it")
    return service.cancel(found)


@router.get(
    "/jobs/{job_id}/events", response_class=EventSourceResponse, dependencies=[Depends(_followed, scope="request")],
    responses={**_OF_A_JOB, 200: {"content": {"text/event-stream": {}}}},
)  # fmt: skip
async def events(request: Request, client: Reader, found: Found) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `job` with the job whenever it has changed, the last one when it has ended."""
    service: Service = request.app.state.service
    said = None
    while True:
        now = await service.followers.look(service.view, found)
        if now != said:
            yield ServerSentEvent(data=now, event="job")
            said = now
        if now.state in _ENDED:
            return
        await asyncio.sleep(_LOOK)


@router.get("/queue", responses=_PROBLEMS)
def jobs(request: Request, client: Reader, limit: Annotated[int, Query(ge=0, le=10_000)] = 100) -> Queue:
    """Jobs that wait, that run, and the latest that have ended."""
    service: Service = request.app.state.service
    return queue(service.store, all_jobs(service.store), service.queue.going(), limit)
