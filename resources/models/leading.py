"""One question of a medium goes ahead of the others, so that they find its prefix computed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

from resources.models.base import Instance, Requests, aiter_requests


async def leaders_first(requests: Requests, most: int) -> AsyncGenerator[Instance, None]:
    """The requests, of neighbours with the same first medium the first one earlier than the others.

    An engine looks a request's prefix up once, when it takes the request in. Of several about a new picture
    that arrive together, those that it takes in before the picture is computed (its turn for media is used
    up) compute the picture once more each; an API's prompt cache knows a prompt when its answer is there.

    most: how many requests are held back, at most. None is, while the next ones have yet to be read.
    """
    source = aiter_requests(requests)
    held: deque[Instance] = deque()
    reading: asyncio.Task[Instance | None] | None = None
    latest: object = None
    try:
        while True:
            if held or reading:
                reading = reading or asyncio.create_task(_next(source))
                await asyncio.wait({reading}, timeout=0 if held else None)
                if not reading.done():
                    yield held.popleft()
                    continue
                request, reading = reading.result(), None
            else:
                request = await _next(source)
            if request is None:
                break
            medium = _medium(request)
            if medium is None or medium != latest:
                latest = medium
                yield request
                continue
            held.append(request)
            if len(held) > most:
                yield held.popleft()
        while held:
            yield held.popleft()
    finally:
        if reading:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _next(source: AsyncIterator[Instance]) -> Instance | None:
    return await anext(source, None)


def _medium(request: Instance) -> object:
    """What tells the request's first medium from others; None without media."""
    if not request.media_list:
        return None
    first = request.media_list[0]
    return first.sha or id(first.data)
