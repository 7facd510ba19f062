"""Who asks, and whether they may: bearer tokens with scopes, a limit for each client."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from eval_service.settings import Scope, ServiceSettings

_LOGINS = parse("20/minute")
_IMPLIED: dict[Scope, tuple[Scope, ...]] = {
    "read": ("read",), "submit": ("read", "submit"), "admin": ("read", "submit", "admin"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Client:
    """A client by its token's name, or `local` where no tokens are configured."""

    name: str
    scopes: frozenset[str]

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes


class Gatekeeper:
    """Checks tokens and rates. Tokens are held as digests and compared in constant time, all of them each time."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._tokens = [
            (
                bytes.fromhex(token.sha256) if token.sha256 else _digest(os.environ[token.env or ""]),
                Client(token.name, frozenset(s for scope in token.scopes for s in _IMPLIED[scope])),
            )
            for token in settings.tokens
        ]
        self._limit = parse(f"{settings.requests_per_minute}/minute")
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def client(self, authorization: str | None) -> Client:
        """Raises HTTPException 401 for a missing or unknown token."""
        if not self._tokens:
            return Client("local", frozenset(_IMPLIED["admin"]))
        kind, _, token = (authorization or "").partition(" ")
        given = _digest(token.strip()) if kind.lower() == "bearer" else b""
        found = None
        for digest, client in self._tokens:
            if hmac.compare_digest(digest, given):
                found = client
        if found is None:
            what = "this token is not known" if given else "send `Authorization: Bearer <token>`"
            raise HTTPException(401, f"not authenticated: {what}", {"WWW-Authenticate": "Bearer"})
        return found

    def within_rate(self, client: Client) -> None:
        """Raises HTTPException 429 with Retry-After."""
        if not self._limiter.hit(self._limit, client.name):
            reset, _ = self._limiter.get_window_stats(self._limit, client.name)
            wait = max(1, round(reset - time.time()))
            raise HTTPException(429, f"more than {self._limit} requests: wait {wait} s", {"Retry-After": str(wait)})

    def may_try(self, host: str) -> None:
        """Counts a failed login of a browser there. Raises HTTPException 429 for too many."""
        if not self._limiter.hit(_LOGINS, f"login {host}"):
            raise HTTPException(429, f"more than {_LOGINS} failed logins: wait a minute", {"Retry-After": "60"})


def needs(scope: Scope) -> Any:
    """A dependency that gives the client, if it has the scope."""

    # Async, though it waits for nothing: a plain function would cost every request a change of threads.
    async def dependency(request: Request) -> Client:
        keeper: Gatekeeper = request.app.state.service.gatekeeper
        client = keeper.client(request.headers.get("authorization"))
        keeper.within_rate(client)
        if not client.may(scope):
            raise HTTPException(403, f"the token of {client.name!r} lacks the scope {scope!r}")
        return client

    return Depends(dependency)


Reader = Annotated[Client, needs("read")]
Submitter = Annotated[Client, needs("submit")]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
