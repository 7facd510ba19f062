"""Streams of events: how many there may be, and threads of their own to look at jobs."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fastapi import HTTPException

_MOST = 100  # of one client
_THREADS = 2

T = TypeVar("T")


class Followers:
    """Whoever follows a job looks at it again and again: that must not keep others from submitting."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="look")

    @contextlib.contextmanager
    def one(self, client: str) -> Iterator[None]:
        """A stream, while it lasts. Raises HTTPException 429."""
        if self._of[client] >= _MOST:
            raise HTTPException(429, f"{client} follows {_MOST} jobs: end some of the streams", {"Retry-After": "30"})
        self._of[client] += 1
        try:
            yield
        finally:
            self._of[client] -= 1

    async def look(self, function: Callable[..., T], *args: object) -> T:
        """The function's result, from one of the threads kept for this."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
