"""`/metrics` for Prometheus: requests, and the ledger as it stands when it is asked."""

from __future__ import annotations

import time
from collections import Counter as Counts

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eval_service.auth import needs
from resources.store.records import wanted

router = APIRouter(tags=["operation"])
_REGISTRY = CollectorRegistry()
_SECONDS = Histogram(
    "eval_request_seconds", "Time to the first byte of an answer.", ["method", "route", "status"], registry=_REGISTRY
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")  # a client may make up others without end
_CELLS = Gauge("eval_wanted_cells", "Cells of the ledger by state.", ["state"], registry=_REGISTRY)


class Measured:
    """ASGI middleware that times requests by route."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")  # never the path itself: it would be endless
                method = scope["method"] if scope["method"] in _METHODS else "other"
                _SECONDS.labels(method, route, message["status"]).observe(time.perf_counter() - began)
            await send(message)

        await self.app(scope, receive, timed)


@router.get("/metrics", dependencies=[needs("read")], response_class=Response)
def prometheus(request: Request) -> Response:
    """Counters and gauges in Prometheus' text format."""
    rows = wanted(request.app.state.service.store).rows()
    counts = Counts({(r["checkpoint"], r["task"], r["variant"]): r["state"] for r in rows}.values())
    for state in ("wanted", "done", "failed", "cancelled"):
        _CELLS.labels(state).set(counts[state])
    return Response(generate_latest(_REGISTRY), media_type=CONTENT_TYPE_LATEST)
