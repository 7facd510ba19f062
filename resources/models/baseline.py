"""What a score is compared with: play at random, play that knows the answer, and what can be known at all."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from resources.models.base import LMM, ModelUnusable, Requests, Response

BASELINES = ("oracle", "random", "observer")


class BaselineModel(LMM):
    """`random`, `oracle` or `observer` of an episode's player, which answers in the model's place (`Turn.scripted`).

    observer: knows what is in front of it and nothing else: the ceiling of a context policy. Not every player has one.
    """

    no_loglikelihood = "baselines play episodes only: this task asks for log-likelihoods"

    def __init__(self, policy: str) -> None:
        if policy not in BASELINES:
            raise ModelUnusable(f"no baseline {policy!r}: there are {', '.join(BASELINES)}")
        self.policy = policy

    @property
    def engine(self) -> Mapping[str, Any]:
        return {"name": "baseline", "policy": self.policy}

    async def generate_until(self, requests: Requests) -> AsyncGenerator[Response, None]:
        raise ModelUnusable("a baseline plays episodes only (tasks with `episode:`): it answers no questions")
        yield  # pragma: no cover - makes this a generator

    async def loglikelihood(self, requests: Requests) -> AsyncGenerator[Response, None]:
        raise ModelUnusable(self.no_loglikelihood)
        yield  # pragma: no cover
