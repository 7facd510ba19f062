"""Checkpoint folders from clients that share no disk with the service."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request

from eval_service.auth import Submitter
from eval_service.schemas import Problem, Upload, UploadRequest
from eval_service.service import Service

router = APIRouter(tags=["uploads"], prefix="/uploads")
_PROBLEMS = {code: {"model": Problem} for code in (401, 403, 404, 409, 413, 422, 429)}


@router.post("", responses=_PROBLEMS)
def begin(request: Request, client: Submitter, manifest: UploadRequest) -> Upload:
    """Announce a folder by its files; the answer says what is missing and from which byte on."""
    service: Service = request.app.state.service
    return service.uploads.of(client.name).begin(manifest.files)


@router.get("/{upload_id}", responses=_PROBLEMS)
def state(request: Request, client: Submitter, upload_id: str) -> Upload:
    """What is still missing of an upload."""
    service: Service = request.app.state.service
    return service.uploads.of(client.name).state(upload_id)


@router.put("/{upload_id}/{path:path}", responses=_PROBLEMS)
async def append(
    request: Request, client: Submitter, upload_id: str, path: str, offset: Annotated[int, Query(ge=0, lt=2**50)] = 0
) -> dict[str, int]:
    """The bytes of a file from an offset on, as the raw body; 409 names the offset that is wanted."""
    service: Service = request.app.state.service
    return {"offset": await service.uploads.of(client.name).append(upload_id, path, offset, request.stream())}


@router.post("/{upload_id}/complete", responses=_PROBLEMS)
async def complete(request: Request, client: Submitter, upload_id: str) -> Upload:
    """Check every hash; from then on `source` can be evaluated."""
    service: Service = request.app.state.service
    return await asyncio.to_thread(service.uploads.of(client.name).complete, upload_id)
