"""What changes something is not done for pages of other sites."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_READING = ("GET", "HEAD", "OPTIONS")


class SameOrigin:
    """ASGI middleware: 403 for a request that a browser sends on behalf of another site.

    Browsers say where a request comes from; other clients send neither header. public: the host that browsers see,
    where a proxy stands before the service.
    """

    def __init__(self, app: ASGIApp, public: str | None) -> None:
        self.app, self.public = app, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in _READING and self._is_foreign(Headers(scope=scope)):
            said = "a page of another site may not do this: open the service's own pages"
            await JSONResponse({"detail": said}, 403)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_foreign(self, headers: Headers) -> bool:
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return True
        origin = headers.get("origin")
        return origin is not None and urlsplit(origin).netloc not in (headers.get("host"), self.public)
