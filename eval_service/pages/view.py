"""What the pages share: who may look, and what a page says of a sample."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Depends, HTTPException, Request

from eval_service.auth import Client, Gatekeeper

COOKIE = "eval_token"


class LoginNeeded(Exception):
    """A browser without a token: it is asked for one."""


def _look(request: Request) -> Client:
    """The client of a page: a browser keeps its token in a cookie that scripts and other sites do not get."""
    keeper: Gatekeeper = request.app.state.service.gatekeeper
    header = request.headers.get("authorization")
    cookie = request.cookies.get(COOKIE)
    try:
        client = keeper.client(header or (f"Bearer {cookie}" if cookie else None))
    except HTTPException as error:
        raise LoginNeeded from error
    if "/thumb/" not in request.url.path and "/media/" not in request.url.path:
        keeper.within_rate(client)  # a page is one request, whatever is on it
    if not client.may("read"):
        raise HTTPException(403, f"the token of {client.name!r} may not read")
    return client


Looking = Depends(_look)


def target_text(target: Any) -> str:
    """A label as text: JSON where it is not text already."""
    return target if isinstance(target, str) else json.dumps(target, ensure_ascii=False, default=str)
