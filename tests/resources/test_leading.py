"""One question of a medium ahead of the others."""

from __future__ import annotations

import asyncio

import pytest

from resources.models.base import Instance, Media, Response
from resources.models.concurrent import in_flight
from resources.models.leading import leaders_first


def questions(pictures: int, each: int, *, told: bool = True) -> list[Instance]:
    media = [Media(str(p).encode(), "image/png", str(p) if told else "") for p in range(pictures)]
    return [Instance(id=f"{p}.{q}", media_list=(media[p],)) for p in range(pictures) for q in range(each)]


def order(requests, most: int) -> list[str]:
    async def collect() -> list[str]:
        return [request.id async for request in leaders_first(requests, most)]

    return asyncio.run(collect())


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(("each", "most"), [(4, 8), (2, 8), (100, 8), (3, 128)])
def test_all_come_once_and_between_a_leader_and_its_followers_stand_at_least_as_many_as_are_held(each, most, told):
    asked = questions(30, each, told=told)
    came = order(asked, most)
    assert sorted(came) == sorted(r.id for r in asked)
    place = {name: n for n, name in enumerate(came)}
    for picture in range(30):
        followers = [place[f"{picture}.{q}"] for q in range(1, each)]
        assert followers == sorted(followers)
        # The first leaders and the last followers have too few others beside them.
        if most // (each - 1) + 1 <= picture < 30 - most // (each - 1) - 1:
            assert followers[0] - place[f"{picture}.0"] > min(most, each - 1)


def test_one_question_a_picture_or_none_keeps_its_order():
    assert order(questions(20, 1), 8) == [f"{p}.0" for p in range(20)]
    assert order([Instance(id=str(n)) for n in range(20)], 8) == [str(n) for n in range(20)]


def test_with_one_request_at_a_time_nothing_is_held():
    asked = questions(5, 4)
    assert order(asked, 0) == [r.id for r in asked]


def test_nothing_is_held_while_the_next_medium_is_still_being_prepared():
    """A video that takes long to decode leaves no engine idle beside questions that could be asked."""
    prepared = asyncio.Event()

    async def slow():
        for request in questions(1, 4):
            yield request
        await prepared.wait()
        yield Instance(id="late", media_list=(Media(b"late", "image/png", "late"),))

    async def take() -> list[str]:
        came = leaders_first(slow(), 8)
        first = [(await asyncio.wait_for(anext(came), 5)).id for _ in range(4)]
        prepared.set()
        return first + [request.id async for request in came]

    assert asyncio.run(take()) == ["0.0", "0.1", "0.2", "0.3", "late"]


def test_an_error_of_an_answer_ends_the_reading_that_is_under_way():
    """Its own source can be closed then: nothing reads on behind the caller's back."""
    closed = False

    async def endless():
        nonlocal closed
        try:
            for request in questions(1, 3):
                yield request
            await asyncio.sleep(3600)
        finally:
            closed = True

    async def ask(request: Instance) -> Response:
        await asyncio.sleep(0.01)
        raise RuntimeError("answer")

    async def run() -> None:
        source = endless()
        with pytest.raises(RuntimeError, match="answer"):
            async for _ in in_flight(leaders_first(source, 1), ask, 3):
                pass
        assert closed
        await source.aclose()

    asyncio.run(run())


def test_an_error_of_the_requests_is_the_callers():
    async def broken():
        for request in questions(2, 3):
            yield request
        raise ValueError("a row is broken")

    with pytest.raises(ValueError, match="a row is broken"):
        order(broken(), 2)


def test_few_pictures_are_open_at_a_time():
    """So a small cache still holds those whose questions are under way."""
    came = order(questions(40, 4), 8)
    place = {name: n for n, name in enumerate(came)}
    for moment in range(len(came)):
        open_now = sum(place[f"{p}.0"] <= moment <= place[f"{p}.3"] for p in range(40))
        assert open_now <= 8 // 3 + 2
