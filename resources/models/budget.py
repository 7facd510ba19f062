"""What requests cost: tokens, money, and a cap on both."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from resources.models.base import Instance, ModelUnusable, Response

_COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
_MEDIUM = 1000  # tokens of a medium, before anything is known; a picture has 85 to 1600
_ANSWER = 1024  # tokens of an answer whose length nobody limits


class BudgetSpent(ModelUnusable):
    """The cap was reached. Nothing more is sent; what was answered is kept."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Money for a million tokens, in any currency; cached: for those of a prompt that were read from a cache."""

    input: float
    output: float
    cached: float

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> Prices | None:
        """From the arguments `price_in`, `price_out` and `price_cached`; None without them.

        Raises ModelUnusable where one is missing or no amount.
        """
        given = {name: args[name] for name in ("price_in", "price_out", "price_cached") if args.get(name) is not None}
        if not given:
            return None
        for name in ("price_in", "price_out"):
            if name not in given:
                raise ModelUnusable(f"{', '.join(given)} without {name}=: give both, as money per million tokens")
        values = {name: _amount(name, value, least=0.0) for name, value in given.items()}
        return cls(values["price_in"], values["price_out"], values.get("price_cached", values["price_in"]))

    def cost(self, prompt: float, completion: float, cached: float = 0) -> float:
        """Of so many tokens; `cached` are some of `prompt`, reasoning some of `completion`."""
        return ((prompt - cached) * self.input + cached * self.cached + completion * self.output) / 1e6


@dataclass(slots=True)
class Spend:
    """What answered requests used. without_usage: how many answers came without counts."""

    without_usage: int = 0
    tokens: dict[str, int] = field(default_factory=dict)

    def add(self, usage: Mapping[str, int]) -> None:
        self.without_usage += "prompt_tokens" not in usage
        for name in _COUNTS:
            if name in usage:
                self.tokens[name] = self.tokens.get(name, 0) + usage[name]

    def cost(self, prices: Prices) -> float:
        """Money, of the requests whose tokens are known."""
        prompt, completion, cached = (self.tokens.get(name, 0) for name in _COUNTS[:3])
        return prices.cost(prompt, completion, cached)

    def record(self, prices: Prices | None) -> dict[str, Any]:
        """JSON-able; only what is known."""
        if not self.tokens:
            return {}
        unknown = {"answers_without_usage": self.without_usage} if self.without_usage else {}
        money = {"cost": self.cost(prices)} if prices else {}
        return {**self.tokens, **money, **unknown}


class Budget:
    """A cap on what one run of a cell may spend.

    max_total_tokens: of prompts and answers together, reasoning and cached tokens included.
    max_cost: money, at `prices`.

    What is in flight counts as much as the largest request so far (before the first answer: its text by
    length, 1000 tokens a medium, and `max_tokens`), so that near the cap fewer are in flight, and at the
    end one. It can be overshot only by requests that turn out larger than every one before them; and by
    the very first, which is sent even if it alone might exceed the cap. What an endpoint charges for
    attempts that failed is not known and not counted. A reply without counts is counted by the estimate.
    """

    def __init__(
        self, max_total_tokens: float | None = None, max_cost: float | None = None, prices: Prices | None = None
    ) -> None:
        if max_total_tokens is not None:
            max_total_tokens = _amount("max_total_tokens", max_total_tokens, least=1.0)
        if max_cost is not None:
            max_cost = _amount("max_cost", max_cost, least=1e-9)
            if prices is None:
                raise ModelUnusable(
                    "max_cost= needs the model's prices: give price_in= and price_out=, money per million tokens"
                )
        self._max_tokens, self._max_cost, self._prices = max_total_tokens, max_cost, prices
        self._spent: tuple[float, float] = (0.0, 0.0)  # tokens, money
        self._largest: tuple[float, float] = (0.0, 0.0)
        self._held: list[tuple[float, float]] = []
        self._answers = 0
        self._settled = asyncio.Event()

    @property
    def capped(self) -> bool:
        return self._max_tokens is not None or self._max_cost is not None

    @asynccontextmanager
    async def request(self, request: Instance) -> AsyncIterator[list[Response]]:
        """Waits until there is room for it; the response that is put into the list is charged.

        Raises BudgetSpent when there is none and nothing is in flight that could leave some.
        """
        expected = await self._room(request)
        responses: list[Response] = []
        self._held.append(expected)
        try:
            yield responses
        finally:
            self._held.remove(expected)
            for response in responses:
                self._charge(response, expected)
            self._settled.set()

    async def _room(self, request: Instance) -> tuple[float, float]:
        while True:
            expected = self._largest if self._answers else self._guess(request)
            if self._fits(expected) or not (self._held or self._answers):
                return expected
            if not self._held:
                raise BudgetSpent(self._message(expected))
            self._settled.clear()
            await self._settled.wait()

    def _fits(self, more: tuple[float, float]) -> bool:
        held = (self._larger(one) for one in self._held)
        tokens, money = (sum(values) for values in zip(self._spent, more, *held, strict=True))
        return tokens <= (self._max_tokens or math.inf) and money <= (self._max_cost or math.inf)

    def _guess(self, request: Instance) -> tuple[float, float]:
        letters = sum(len(str(value)) for m in request.turns() for kind, value in m.parts if kind == "text")
        return self._amounts(letters / 3 + _MEDIUM * len(request.media_list), _limit(request), 0)

    def _charge(self, response: Response, expected: tuple[float, float]) -> None:
        if response.error is not None and not response.usage:
            return
        used = response.usage
        spent = expected
        if "prompt_tokens" in used:
            spent = self._amounts(*(used.get(name, 0) for name in _COUNTS[:3]))
        self._answers += 1
        self._spent = (self._spent[0] + spent[0], self._spent[1] + spent[1])
        self._largest = self._larger(spent)

    def _larger(self, amounts: tuple[float, float]) -> tuple[float, float]:
        """The larger of these and of the largest so far."""
        return max(amounts[0], self._largest[0]), max(amounts[1], self._largest[1])

    def _amounts(self, prompt: float, completion: float, cached: float) -> tuple[float, float]:
        return prompt + completion, self._prices.cost(prompt, completion, cached) if self._prices else 0.0

    def _message(self, expected: tuple[float, float]) -> str:
        said, raised = [], []
        if self._max_tokens is not None:
            said.append(f"{self._spent[0]:,.0f} of max_total_tokens={self._max_tokens:,.0f} tokens")
            raised.append("max_total_tokens=")
        if self._max_cost is not None:
            said.append(f"{self._spent[1]:.4g} of max_cost={self._max_cost:g}")
            raised.append("max_cost=")
        needs = [f"{expected[0]:,.0f} tokens", *([f"{expected[1]:.4g}"] if self._max_cost is not None else [])]
        return (
            f"the budget of this run is spent: {' and '.join(said)} went into {self._answers} answers, "
            f"and the next may take {' or '.join(needs)}. They are kept: "
            f"raise {' or '.join(raised)} and run the cell again, and only the rest is asked"
        )


def _limit(request: Instance) -> float:
    limit = request.gen_kwargs.get("max_tokens")
    return float(limit) if limit else _ANSWER


def _amount(name: str, value: Any, *, least: float) -> float:
    try:
        amount = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        amount = math.nan
    if not math.isfinite(amount) or amount < least:
        wanted = "an amount, 0 or more" if least == 0 else "a number above 0"
        raise ModelUnusable(f"{name}= takes {wanted}, not {value!r}")
    return amount
