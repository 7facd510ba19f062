"""How full the engine's KV cache is while requests are under way."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

# When it is looked at, in shares of the time that the latest request took: its prompt is read by then, and what it
# holds is not given back yet.
_MIDST = 0.7
_APART = 0.2  # seconds between two looks


class MemoryWatch:
    """Looks at most once for each request that begins; what it sees counts for all that are under way.

    Nobody waits for it: a request that was over before anybody looked has no figure.
    look: share in use now, 0 to 1; None: not known.
    """

    def __init__(self, look: Callable[[], Awaitable[float | None]]) -> None:
        self._look = look
        self._began: dict[str, float] = {}
        self._seen: dict[str, float] = {}
        self._took, self._looked = 0.0, -math.inf
        self._task: asyncio.Task[None] | None = None

    def began(self, request: str) -> None:
        self._began[request] = time.monotonic()
        if self._task is None or self._task.done():
            if self._task is not None:
                self._task.result()  # raises what went wrong in the latest look
            self._task = asyncio.create_task(self._soon())

    def ended(self, request: str) -> float | None:
        """The largest share that was seen while it was under way; None: nobody looked, or it is not told."""
        self._took = time.monotonic() - self._began.pop(request)
        return self._seen.pop(request, None)

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            (ended,) = await asyncio.gather(self._task, return_exceptions=True)
            if isinstance(ended, Exception):  # being cancelled is none
                raise ended

    async def _soon(self) -> None:
        await asyncio.sleep(max(_MIDST * self._took, self._looked + _APART - time.monotonic()))
        under_way, self._looked = list(self._began), time.monotonic()
        if not under_way:
            return
        share = await self._look()
        if share:  # 0: none of them holds anything yet, or any more, so that it says nothing of what they take
            for request in under_way:
                if request in self._began:
                    self._seen[request] = max(share, self._seen.get(request, 0.0))
