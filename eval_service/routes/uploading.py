"""Checkpoint folders from clients that share no disk with the service."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request

from eval_service.auth import needs
from eval_service.schemas import Problem, Upload, UploadRequest
from eval_service.service import Service

router = APIRouter(tags=["uploads"], prefix="/uploads", dependencies=[needs("submit")])
_PROBLEMS = {code: {"model": Problem} for code in (401, 403, 404, 409, 413, 422, 429)}


@router.post("", responses=_PROBLEMS)
def begin(request: Request, manifest: UploadRequest) -> Upload:
    """Announce a folder by its files; the answer says what is missing and from which byte on."""
    service: Service = request.app.state.service
    return service.uploads.begin(manifest.files)


@router.get("/{upload_id}", responses=_PROBLEMS)
def state(request: Request, upload_id: str) -> Upload:
    """What is still missing of an upload."""
    service: Service = request.app.state.service
    return service.uploads.state(upload_id)


@router.put("/{upload_id}/{path:path}", responses=_PROBLEMS)
async def append(
    request: Request, upload_id: str, path: str, offset: Annotated[int, Query(ge=0, lt=2**50)] = 0
) -> dict[str, int]:
    """The bytes of a file from an offset on, as the raw body; 409 names the offset that is wanted."""
    service: Service = request.app.state.service
    return {"offset": await service.uploads.append(upload_id, path, offset, request.stream())}


@router.post("/{upload_id}/complete", responses=_PROBLEMS)
async def complete(request: Request, upload_id: str) -> Upload:
    """Check every hash; from then on `source` can be evaluated."""
    service: Service = request.app.state.service
    return await asyncio.to_thread(service.uploads.complete, upload_id)
