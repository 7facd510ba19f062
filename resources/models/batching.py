"""Requests → batches, for models that answer several at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable

from resources.models.base import Instance, Requests, aiter_requests

LINGER = 0.02  # seconds that an unfilled batch waits for a request more


async def batched(
    requests: Requests, size: int, alike: Callable[[Instance], Hashable]
) -> AsyncGenerator[list[Instance], None]:
    """Runs of consecutive requests that are alike, at most `size` of them.

    Reads two batches ahead at most. A batch goes out unfilled when nothing more comes for a
    moment: the next request may depend on an answer of this one.
    """
    queue: asyncio.Queue[Instance | BaseException | None] = asyncio.Queue(maxsize=2 * size - 1)

    async def read() -> None:
        try:
            async for request in aiter_requests(requests):
                await queue.put(request)
            await queue.put(None)
        except Exception as error:  # of the requests' own iterator: it belongs to whoever asks for batches
            await queue.put(error)

    reader = asyncio.create_task(read())
    carried: Instance | BaseException | None = None  # read already, but not like the batch before it
    try:
        while True:
            first = carried if carried is not None else await queue.get()
            carried = None
            if first is None:
                return
            if isinstance(first, BaseException):
                raise first
            batch = [first]
            ended = False
            while len(batch) < size:
                try:
                    following = await asyncio.wait_for(queue.get(), LINGER)
                except TimeoutError:
                    break
                if isinstance(following, Instance) and alike(following) == alike(first):
                    batch.append(following)
                    continue
                carried, ended = following, following is None
                break
            yield batch
            if ended:
                return
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
