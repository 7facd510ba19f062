"""Any endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from resources.models.base import LMM, Instance, ModelUnusable, Requests, Response
from resources.models.concurrent import in_flight
from resources.models.openai_wire import as_error, chat_body, parse_completion

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter
    from openai import AsyncOpenAI


# (request id, body of the reply) -> response; never raises for a reply it cannot read.
Parse = Callable[[str, bytes], Response]


class OpenAIModel(LMM):
    """A model behind an OpenAI-compatible endpoint.

    model:       its name there.
    base_url:    of the endpoint; without it `OPENAI_BASE_URL`, then OpenAI's own.
    api_key_env: the environment variable that holds the key. The key itself is never an argument,
                 because arguments are stored and shown.
    concurrency: requests in flight.
    requests_per_minute, tokens_per_minute: limits kept on our side (0: none).
    timeout:     seconds for one attempt.
    max_retries: attempts after the first, for time-outs, 429, 5xx and broken connections. Waits
                 grow exponentially to a minute; `Retry-After` is honoured, and it halts every
                 request, since the limit is the endpoint's and not one request's.
    max_tokens_param: `max_completion_tokens` for endpoints that refuse `max_tokens`.
    extra:       further fields of the request's body (`{"reasoning_effort": "low"}`); they are
                 part of the request key.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        concurrency: int = 32,
        requests_per_minute: float = 0,
        tokens_per_minute: float = 0,
        timeout: float = 120,
        max_retries: int = 6,
        max_tokens_param: str = "max_tokens",
        extra: Mapping[str, Any] | None = None,
        snapshot: str = "",
    ) -> None:
        self.model, self.base_url = model, endpoint(base_url)
        self._api_key_env, self._concurrency = api_key_env, int(concurrency)
        self._rpm, self._tpm = float(requests_per_minute), float(tokens_per_minute)
        self._timeout, self._max_retries = float(timeout), int(max_retries)
        self._max_tokens_param, self._extra, self._snapshot = max_tokens_param, dict(extra or {}), snapshot
        self._resume_at = 0.0
        self._mean_tokens = 0.0

    @property
    def engine(self) -> Mapping[str, Any]:
        return {"name": "openai", "extra": self._extra}

    @property
    def client(self) -> AsyncOpenAI:
        """The `openai` client in use, inside `async with`."""
        return self._client

    async def __aenter__(self) -> OpenAIModel:
        from aiolimiter import AsyncLimiter
        from openai import AsyncOpenAI, DefaultAioHttpClient

        # Endpoints of one's own often want no key; the client insists on one.
        self._key = os.environ.get(self._api_key_env, "")
        self._client = AsyncOpenAI(
            base_url=self.base_url,
            api_key=self._key or "none",
            timeout=self._timeout,
            max_retries=0,
            http_client=DefaultAioHttpClient(timeout=self._timeout),
        )
        # One at a time, evenly: a minute's worth at once would be twice the limit in the first minute.
        self._requests: AsyncLimiter | None = AsyncLimiter(1, 60 / self._rpm) if self._rpm else None
        self._tokens: AsyncLimiter | None = AsyncLimiter(self._tpm, 60) if self._tpm else None
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.close()

    def generate_until(self, requests: Requests) -> AsyncGenerator[Response, None]:
        return in_flight(requests, self._answer, self._concurrency)

    async def loglikelihood(self, requests: Requests) -> AsyncGenerator[Response, None]:
        raise ModelUnusable(
            "chat completions give no log-likelihood of a prompt: evaluate this task with "
            "--model transformers, or with output_type: generate_until"
        )
        yield  # makes this an async generator

    async def _answer(self, request: Instance) -> Response:
        body = chat_body(request, self.model, self._max_tokens_param, self._extra)
        return await self._asked(request, "/chat/completions", body, parse_completion)

    async def _asked(self, request: Instance, path: str, body: bytes, parse: Parse) -> Response:
        """The response to a body, after as many attempts as are allowed."""
        from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt

        started = time.perf_counter()
        attempts = AsyncRetrying(
            stop=stop_after_attempt(1 + self._max_retries),
            wait=self._wait,
            retry=retry_if_result(lambda r: r.error is not None and r.error.retryable),
            retry_error_callback=lambda state: state.outcome.result(),
        )
        response = await attempts(self._ask, request, path, body, parse)
        response.timings["total"] = time.perf_counter() - started
        return response

    def _connection(self, request: Instance) -> AsyncOpenAI:
        """The client that this request goes through: one of several where there are replicas."""
        return self._client

    def _wait(self, state: Any) -> float:
        from tenacity import wait_random_exponential

        # Backing off at random keeps 32 requests from coming back at the same instant.
        backoff: float = wait_random_exponential(multiplier=0.5, max=60)(state)
        return max(backoff, self._resume_at - time.monotonic())

    async def _ask(self, request: Instance, path: str, body: bytes, parse: Parse) -> Response:
        import httpx2
        import openai

        await self._admitted(request)
        started = time.perf_counter()
        try:
            # The body is built once from parts that are encoded already, and the answer is parsed
            # here: the client's models cost more than the whole way through our storage.
            raw = await self._connection(request).post(
                path,
                cast_to=httpx2.Response,
                content=body,
                options={"headers": {"Content-Type": "application/json"}},
            )
            response = parse(request.id, raw.content)
        except openai.APIError as error:
            problem, retry_after = as_error(error, self.model, self.base_url, self._api_key_env, self._key)
            if retry_after:
                self._resume_at = max(self._resume_at, time.monotonic() + retry_after)
            response = Response(request.id, finish_reason="error", error=problem, timings={})
        response.timings["last_attempt"] = time.perf_counter() - started
        used = sum(response.usage.get(k, 0) for k in ("prompt_tokens", "completion_tokens"))
        if used:
            self._mean_tokens = used if not self._mean_tokens else 0.9 * self._mean_tokens + 0.1 * used
        return response

    async def _admitted(self, request: Instance) -> None:
        while (pause := self._resume_at - time.monotonic()) > 0:  # noqa: ASYNC110  # it may be put off meanwhile
            await asyncio.sleep(pause)
        if self._requests:
            await self._requests.acquire()
        if self._tokens:
            # What a request will use is known afterwards only: charge the running mean.
            guess = self._mean_tokens or float(request.gen_kwargs.get("max_tokens", 256))
            await self._tokens.acquire(min(guess, self._tpm))


def endpoint(base_url: str | None) -> str:
    """The endpoint's address as it enters the fingerprint: without a trailing slash."""
    return (base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1").rstrip("/")
