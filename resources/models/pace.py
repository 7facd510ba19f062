"""When the next attempt may go out: limits per minute, what an endpoint asked us to wait, backing off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from resources.models.base import Instance

_LONGEST = 60  # seconds of backing off


class Pace:
    """requests_per_minute, tokens_per_minute: limits kept on our side (0: none)."""

    def __init__(self, requests_per_minute: float, tokens_per_minute: float) -> None:
        from aiolimiter import AsyncLimiter

        self._tpm = tokens_per_minute
        # One at a time, evenly: a minute's worth at once would be twice the limit in the first minute.
        self._requests = AsyncLimiter(1, 60 / requests_per_minute) if requests_per_minute else None
        self._tokens = AsyncLimiter(tokens_per_minute, 60) if tokens_per_minute else None
        self._resume_at = 0.0
        self._mean_tokens = 0.0

    def halt(self, seconds: float) -> None:
        """No attempt before so many seconds have passed: the limit is the endpoint's, not one request's."""
        self._resume_at = max(self._resume_at, time.monotonic() + seconds)

    def used(self, usage: Mapping[str, int]) -> None:
        """What an answer used."""
        used = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
        if used:
            self._mean_tokens = used if not self._mean_tokens else 0.9 * self._mean_tokens + 0.1 * used

    def backoff(self, state: Any) -> float:
        """Seconds before the next attempt, as `tenacity` asks for them."""
        from tenacity import wait_random_exponential

        # Backing off at random keeps 32 requests from coming back at the same instant.
        seconds: float = wait_random_exponential(multiplier=0.5, max=_LONGEST)(state)
        return max(seconds, self._resume_at - time.monotonic())

    async def admitted(self, request: Instance) -> None:
        """Returns when this request may go."""
        while (pause := self._resume_at - time.monotonic()) > 0:  # noqa: ASYNC110  # it may be put off meanwhile
            await asyncio.sleep(pause)
        if self._requests:
            await self._requests.acquire()
        if self._tokens:
            # What a request will use is known afterwards only: charge the running mean.
            guess = self._mean_tokens or float(request.gen_kwargs.get("max_tokens", 256))
            await self._tokens.acquire(min(guess, self._tpm))
