"""A bound on what is in flight, against simulated endpoints on a clock of their own."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable

import pytest

from resources.models.adaptive import AdaptiveLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class World:
    """A closed loop: as many requests in flight as the limit allows, each lasting what `seconds` says.

    seconds: number of the request, how many are open with it -> how long it takes; None: refused at once.
    """

    def __init__(self, most: int, seconds: Callable[[int, int], float | None]) -> None:
        self.clock, self.said = Clock(), list[str]()
        self.limit = AdaptiveLimit(most, name="there", log=self.said.append, clock=self.clock)
        self._seconds, self._number = seconds, 0
        self._open: list[tuple[float, int, float]] = []

    def run(self, count: int) -> float:
        """Until so many more were answered; answers a second."""
        answered, start = 0, self.clock.now
        while answered < count:
            while len(self._open) < int(self.limit.limit):
                lasts = self._seconds(self._number, len(self._open) + 1)
                end = self.clock.now + (0.05 if lasts is None else lasts)
                heapq.heappush(
                    self._open, (end, self._number if lasts is not None else -1 - self._number, self.clock.now)
                )
                self._number += 1
            end, number, began = heapq.heappop(self._open)
            self.clock.now = max(self.clock.now, end)
            if number < 0:
                self.limit.overloaded(began, "overloaded (429)")
            else:
                self.limit.answered(began, end - began)
                answered += 1
        return count / (self.clock.now - start)


def test_a_healthy_endpoint_has_all_places_whatever_its_answers_last():
    chance = random.Random(0)
    world = World(32, lambda number, open_: chance.lognormvariate(0, 0.8))
    world.run(5000)
    assert (world.limit.limit, world.limit.least, world.said, world.limit.observed) == (32.0, 32, [], {})


def test_refusals_halve_it_once_a_burst_and_success_brings_it_back():
    capacity = 1000

    def seconds(number: int, open_: int) -> float | None:
        return 1.0 if open_ <= capacity else None

    world = World(32, seconds)
    world.run(100)
    capacity = 10
    world.run(100)
    assert 4 <= world.limit.least <= 10
    world.run(1000)
    refused = world.limit.overloads
    world.run(1000)
    assert 3 <= world.limit.limit <= 11, "it stays about what the endpoint bears"
    assert world.limit.overloads - refused < 150
    capacity = 1000
    world.run(1000)
    assert world.limit.limit == 32
    assert world.said[0] == "there: overloaded (429): 32 -> 16 requests in flight"
    assert world.said[-1] == "there: 32 requests in flight again"
    assert len(world.said) < world.clock.now / 10 + 2
    assert world.limit.observed["least"] < 10


def test_an_endpoint_that_refuses_everything_is_left_one_place():
    limit = AdaptiveLimit(32, clock=(clock := Clock()))
    for _ in range(20):
        clock.now += 1
        limit.overloaded(clock.now, "overloaded (529)")
    assert (limit.limit, limit.least) == (1.0, 1)


def test_a_burst_counts_once():
    limit = AdaptiveLimit(32, clock=(clock := Clock()))
    clock.now = 5.0
    for _ in range(32):
        limit.overloaded(4.0, "overloaded (429)")
    assert (limit.limit, limit.overloads) == (16.0, 32)


def test_a_queue_at_the_endpoint_is_shortened_because_it_costs_nothing():
    """From the 500th on it works on four at a time: 32 in flight wait for each other at the same rate."""
    crowded = False
    world = World(32, lambda number, open_: 0.25 * max(1.0, open_ / 4) if crowded else 0.25)
    world.run(500)
    crowded = True
    world.run(300)
    with_all = world.run(100)
    world.run(3000)
    assert world.limit.least <= 16
    assert world.run(500) > 0.9 * with_all
    assert "times as long as at best" in world.said[0]


def test_answers_that_are_longer_by_themselves_cost_no_place_for_long():
    longer = False
    world = World(32, lambda number, open_: 1.0 if longer else 0.25)
    world.run(1000)
    longer = True
    world.run(1500)
    assert world.limit.slowdowns == 1
    assert world.limit.limit == 32
    assert world.run(2000) == pytest.approx(32, rel=0.05)
    assert world.limit.slowdowns == 1


def test_places_are_kept_and_freed():
    async def run() -> int:
        limit = AdaptiveLimit(3)
        most = open_ = 0

        async def one() -> None:
            nonlocal most, open_
            async with limit:
                open_ += 1
                most = max(most, open_)
                await asyncio.sleep(0.001)
                open_ -= 1

        await asyncio.gather(*(one() for _ in range(20)))
        limit.overloaded(float("inf"), "x")
        assert int(limit.limit) == 1
        waiting = [asyncio.create_task(one()) for _ in range(10)]
        await asyncio.sleep(0)
        waiting[5].cancel()
        done = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
        assert sum(isinstance(d, asyncio.CancelledError) for d in done) == 1
        return most

    assert asyncio.run(run()) == 3


def test_who_has_waited_longest_is_next_and_not_who_comes_back():
    async def run() -> list[str]:
        limit, order = AdaptiveLimit(1), list[str]()

        async def one(name: str) -> None:
            async with limit:
                order.append(name)
                await asyncio.sleep(0)

        async def again_and_again() -> None:
            for _ in range(3):
                await one("again")

        await asyncio.gather(again_and_again(), *(one(f"{n}") for n in range(3)))
        return order

    assert asyncio.run(run()) == ["again", "0", "1", "2", "again", "again"]
