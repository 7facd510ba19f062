"""What may be spent, and what was."""

from __future__ import annotations

import asyncio

import pytest

from resources.models.base import Instance, ModelUnusable, Response
from resources.models.budget import Budget, BudgetSpent, Prices, Spend
from resources.models.openai import OpenAIModel
from tests.conftest import Endpoint, Reply

PRICES = {"price_in": 2, "price_out": 10}


def used(prompt: int, completion: int, **more: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}


def spend(endpoint: Endpoint, count: int, **options) -> tuple[list[Response], BudgetSpent | None]:
    """What was answered, and how it ended."""
    found: list[Response] = []

    async def run() -> None:
        async with OpenAIModel("m", base_url=endpoint.url, **{"timeout": 10, "max_retries": 0, **options}) as model:
            requests = [Instance(prompt="?", id=str(i), gen_kwargs={"max_tokens": 50}) for i in range(count)]
            async for response in model.generate_until(requests):
                found.append(response)

    try:
        asyncio.run(run())
    except BudgetSpent as error:
        return found, error
    return found, None


def test_prices_are_per_million_and_cached_tokens_have_their_own():
    prices = Prices.of({**PRICES, "price_cached": 0.5})
    assert prices is not None
    assert prices.cost(1_000_000, 100_000) == pytest.approx(3.0)
    assert prices.cost(1_000_000, 0, cached=400_000) == pytest.approx(1.4)
    assert Prices.of(PRICES).cost(1_000_000, 0, cached=400_000) == pytest.approx(2.0)
    assert Prices.of({}) is None


def test_a_spend_says_only_what_is_known():
    spent = Spend()
    assert spent.record(Prices.of(PRICES)) == {}
    spent.add({"prompt_tokens": 10, "completion_tokens": 5, "reasoning_tokens": 3})
    spent.add({})
    assert spent.record(None) == {
        "prompt_tokens": 10, "completion_tokens": 5, "reasoning_tokens": 3, "answers_without_usage": 1,
    }  # fmt: skip
    assert spent.record(Prices.of(PRICES))["cost"] == pytest.approx(7e-5)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"max_total_tokens": -1}, "max_total_tokens= takes a number above 0, not -1"),
        ({"max_total_tokens": 0}, "max_total_tokens"),
        ({"max_total_tokens": "many"}, "not 'many'"),
        ({"max_cost": -2, **PRICES}, "max_cost= takes a number above 0, not -2"),
        ({"max_cost": float("nan"), **PRICES}, "max_cost"),
        ({"max_cost": True, **PRICES}, "max_cost"),
        ({"max_cost": 5}, r"needs the model's prices: give price_in= and price_out=, money per million tokens"),
        ({"max_cost": 5, "price_in": 1}, "price_in without price_out="),
        ({"price_in": -1, "price_out": 1}, "price_in= takes an amount, 0 or more"),
    ],
)
def test_a_budget_that_is_none_is_told_before_anything_is_made(args, says):
    with pytest.raises(ModelUnusable, match=says):
        OpenAIModel("m", **args)


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_cap_on_tokens_holds_and_what_was_paid_for_is_handed_out(endpoint, concurrency):
    endpoint.answer = lambda request, number: Reply(usage=used(90, 10), delay=0.01)
    found, error = spend(endpoint, 200, max_total_tokens=2500, concurrency=concurrency)
    assert len(found) == len(endpoint.seen) == 25
    assert "2,500 of max_total_tokens=2,500 tokens went into 25 answers" in str(error)
    assert "raise max_total_tokens= and run the cell again, and only the rest is asked" in str(error)


def test_a_cap_on_money_holds_for_answers_of_any_length(endpoint):
    """Lengths from 10 to 100 000: over the cap goes at most what no answer before it was like."""
    lengths = [10, 500, 20, 100_000, 30] * 60
    endpoint.answer = lambda request, number: Reply(usage=used(100, lengths[number]), delay=0.002)
    found, error = spend(endpoint, 300, max_cost=20, concurrency=16, **PRICES)
    prices = Prices.of(PRICES)
    cost = sum(prices.cost(r.usage["prompt_tokens"], r.usage["completion_tokens"]) for r in found)
    assert 18 <= cost <= 20 + 1e-6
    assert f"{cost:.4g} of max_cost=20" in str(error)


def test_the_first_requests_do_not_overshoot_together(endpoint):
    """Nothing is known yet: what they may use at most counts, and one goes even if that exceeds the cap."""
    endpoint.answer = lambda request, number: Reply(usage=used(5, 40), delay=0.05)
    found, error = spend(endpoint, 64, max_total_tokens=30, concurrency=32)
    assert (len(found), len(endpoint.seen), endpoint.most) == (1, 1, 1)
    assert "45 of max_total_tokens=30" in str(error)


def test_a_budget_that_suffices_changes_nothing(endpoint):
    # So slow that all twenty have come before the first is answered, on a busy machine too.
    endpoint.answer = lambda request, number: Reply(usage=used(5, 5), delay=0.5)
    found, error = spend(endpoint, 40, max_total_tokens=10_000, concurrency=20)
    assert (len(found), error, endpoint.most) == (40, None, 20)


def test_replies_without_counts_are_counted_by_the_estimate(endpoint):
    endpoint.answer = lambda request, number: Reply(usage=None)
    found, error = spend(endpoint, 100, max_total_tokens=500, concurrency=4)
    assert error is not None
    assert 5 <= len(found) <= 10


def test_failed_attempts_take_no_room_for_good(endpoint):
    endpoint.answer = lambda request, number: Reply(status=400, text="bad") if number % 2 else Reply(usage=used(5, 5))
    found, error = spend(endpoint, 40, max_total_tokens=400, concurrency=8)
    assert error is None
    assert sum(r.error is None for r in found) == 20


def test_room_comes_in_the_end_to_those_who_wait():
    async def run() -> list[int]:
        budget, order = Budget(max_total_tokens=100), list[int]()

        async def one(number: int) -> None:
            async with budget.request(Instance(prompt="", gen_kwargs={"max_tokens": 60})) as answered:
                await asyncio.sleep(0.01)
                order.append(number)
                answered.append(Response(str(number), usage=used(1, 1)))

        await asyncio.wait_for(asyncio.gather(*(one(i) for i in range(10))), 5)
        return order

    assert asyncio.run(run()) == list(range(10))
