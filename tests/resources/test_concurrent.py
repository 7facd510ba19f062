"""Asking many at once: the bound, the order of reading, and the end."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from resources.models.base import Instance, Response
from resources.models.concurrent import in_flight


def instances(count: int) -> list[Instance]:
    return [Instance(id=str(i)) for i in range(count)]


async def collect(requests, ask, limit: int) -> list[str]:
    return [r.id async for r in in_flight(requests, ask, limit)]


def test_never_more_at_once_than_the_limit_and_none_read_before_a_place_is_free():
    open_now = most = read = answered = 0

    async def requests():
        nonlocal read
        for instance in instances(50):
            assert read - answered < 7
            read += 1
            yield instance

    async def ask(request: Instance) -> Response:
        nonlocal open_now, most, answered
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.001)
        open_now -= 1
        answered += 1
        return Response(request.id)

    assert sorted(asyncio.run(collect(requests(), ask, 7))) == sorted(str(i) for i in range(50))
    assert most == 7


def test_answers_come_as_they_arrive():
    async def ask(request: Instance) -> Response:
        await asyncio.sleep(0.2 if request.id == "0" else 0)
        return Response(request.id)

    assert asyncio.run(collect(instances(5), ask, 2))[-1] == "0"


@pytest.mark.parametrize("limit", [1, 5])
def test_no_requests_no_answers(limit):
    async def ask(request: Instance) -> Response:
        raise AssertionError("nothing to ask")

    assert asyncio.run(collect([], ask, limit)) == []


def test_an_exception_of_ask_or_of_the_requests_ends_it_and_cancels_the_rest():
    cancelled = []

    async def ask(request: Instance) -> Response:
        if request.id == "3":
            raise RuntimeError("no key")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(request.id)
            raise
        return Response(request.id)

    with pytest.raises(RuntimeError, match="no key"):
        asyncio.run(collect(instances(10), ask, 4))
    assert cancelled == ["0", "1", "2"]

    async def broken():
        yield Instance(id="0")
        raise ValueError("bad row")

    async def at_once(request: Instance) -> Response:
        return Response(request.id)

    with pytest.raises(ValueError, match="bad row"):
        asyncio.run(collect(broken(), at_once, 4))


def test_closing_it_cancels_what_is_under_way():
    cancelled = []

    async def ask(request: Instance) -> Response:
        try:
            await asyncio.sleep(0 if request.id == "0" else 60)
        except asyncio.CancelledError:
            cancelled.append(request.id)
            raise
        return Response(request.id)

    async def run() -> None:
        async with contextlib.aclosing(in_flight(instances(10), ask, 3)) as responses:
            async for response in responses:
                assert response.id == "0"
                break

    asyncio.run(run())
    assert sorted(cancelled)[:2] == ["1", "2"]
