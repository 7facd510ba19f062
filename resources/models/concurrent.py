"""Asking many requests at once, with a bound, and answers as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from resources.models.base import Instance, Requests, Response, aiter_requests


async def in_flight(
    requests: Requests, ask: Callable[[Instance], Awaitable[Response]], limit: int
) -> AsyncGenerator[Response, None]:
    """At most `limit` calls of `ask` at any time; responses in the order they arrive.

    No request is read before a place is free. An exception of `ask` or of the requests ends the
    iteration and cancels what is under way, as does closing the iterator. Requests that are a generator
    are closed with it.
    """
    source = aiter_requests(requests)
    turn = asyncio.Lock()
    done: asyncio.Queue[Response | BaseException | None] = asyncio.Queue()

    async def worker() -> None:
        try:
            while True:
                async with turn:
                    request = await anext(source)
                done.put_nowait(await ask(request))
        except StopAsyncIteration:
            done.put_nowait(None)
        except Exception as error:
            done.put_nowait(error)

    workers = [asyncio.create_task(worker()) for _ in range(limit)]
    try:
        working = limit
        while working:
            result = await done.get()
            if result is None:
                working -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        if isinstance(requests, AsyncGenerator):
            await requests.aclose()


async def unless_refused(
    ask: Callable[[Requests], AsyncGenerator[Response, None]], requests: Requests
) -> AsyncGenerator[Response, None]:
    """Responses of `ask`; a request that carries its refusal is answered with it and never asked."""
    refused: list[Response] = []

    async def askable() -> AsyncGenerator[Instance, None]:
        async for request in aiter_requests(requests):
            if request.refused is None:
                yield request
            else:
                refused.append(Response(request.id, finish_reason="error", error=request.refused))

    async with aclosing(ask(askable())) as responses:
        async for response in responses:
            while refused:
                yield refused.pop()
            yield response
    while refused:
        yield refused.pop()
