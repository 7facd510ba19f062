"""Media as they are stored, in ranges, so that a video plays without being read whole."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Path, Request
from fastapi.responses import Response, StreamingResponse

from eval_assets.pipeline.episodes import step_media_of
from eval_assets.pipeline.ingest import media_of
from eval_service.names import named_task
from eval_service.pages.thumbnails import thumbnail
from eval_service.pages.view import Looking
from eval_service.service import Service
from resources.store import unslug
from resources.store.media import MediaTable

router = APIRouter(include_in_schema=False, dependencies=[Looking])
Sha = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")
_PIECE = 2**18
_FRESH = 60.0  # seconds for which an index of media is used
# Only what a browser shows and never runs: SVG and HTML would be documents of this origin.
_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "video/", "audio/")
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin"}  # fmt: skip


@router.get("/thumb/{task}/{sha}")
def small(request: Request, task: str, sha: Sha) -> Response:
    """A small picture of a medium."""
    table, mime = _medium(request, task, sha)
    made = thumbnail(table, sha, mime)
    if made is None:
        raise HTTPException(404, "this medium has no picture")
    return Response(made, media_type="image/webp", headers=_FOREVER)


@router.get("/media/{task}/{sha}")
def whole(request: Request, task: str, sha: Sha, range: Annotated[str | None, Header()] = None) -> Response:
    """A medium's bytes as they came, or the range of them that was asked for."""
    table, mime = _medium(request, task, sha)
    size = table.size(sha)
    kind = mime if mime.startswith(_SHOWN) else "application/octet-stream"
    headers = {**_FOREVER, "Accept-Ranges": "bytes", "Content-Security-Policy": "default-src 'none'; sandbox"}
    first, last = _asked(range, size)
    if range:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    headers["Content-Length"] = str(last - first + 1)
    return StreamingResponse(_pieces(table, sha, first, last), 206 if range else 200, headers, media_type=kind)


def _asked(header: str | None, size: int) -> tuple[int, int]:
    if not header:
        return 0, size - 1
    match = _RANGE.match(header)
    first, last = match.groups() if match else ("", "")
    if not (first or last):
        raise HTTPException(416, "one range of bytes, please", {"Content-Range": f"bytes */{size}"})
    begin = int(first) if first else max(0, size - int(last))
    end = min(int(last) if first and last else size - 1, size - 1)
    if begin > end:
        raise HTTPException(416, "outside of the medium", {"Content-Range": f"bytes */{size}"})
    return begin, end


def _pieces(table: MediaTable, sha: str, first: int, last: int) -> Iterator[bytes]:
    with table.open(sha) as file:
        file.seek(first)
        left = last - first + 1
        while left and (piece := file.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece


def _medium(request: Request, task: str, sha: str) -> tuple[MediaTable, str]:
    service: Service = request.app.state.service
    definition = named_task(service, unslug(task))
    holders = [media_of(service.store, definition)]
    if definition.episode is not None:  # what was seen on the way
        holders.append(step_media_of(service.store, definition.task))
    for holder in holders:
        table = _table(holder.uri, int(time.monotonic() / _FRESH))
        if sha in table:
            return table, table.mime(sha)
    raise HTTPException(404, "no such medium")


@lru_cache(maxsize=16)
def _table(uri: str, moment: int) -> MediaTable:
    """With its index of hashes in memory: a page asks for many media at a time."""
    return MediaTable(uri)
