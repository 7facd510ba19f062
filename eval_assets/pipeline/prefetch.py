"""The next chunk is read while the present one is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import TypeVar

T = TypeVar("T")


async def prefetched(chunks: Iterator[list[T]]) -> AsyncGenerator[T, None]:
    """The entries of chunks, each chunk taken in a thread while those of the one before it are worked on."""
    reading = asyncio.create_task(asyncio.to_thread(next, chunks, None))
    try:
        while (chunk := await reading) is not None:
            reading = asyncio.create_task(asyncio.to_thread(next, chunks, None))
            for entry in chunk:
                yield entry
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def chain(first: T, rest: AsyncIterator[T]) -> AsyncIterator[T]:
    """`first`, then the rest: what was taken to see whether there is any is put back."""
    yield first
    async for entry in rest:
        yield entry
