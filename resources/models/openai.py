"""Any endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resources.models.adaptive import AdaptiveLimit
from resources.models.base import LMM, Instance, ModelUnusable, Requests, Response
from resources.models.budget import Budget, Prices
from resources.models.concurrent import in_flight
from resources.models.leading import leaders_first
from resources.models.listing import listed_models, near
from resources.models.openai_wire import NoSuchModel, as_error, chat_body, parse_completion, redacted
from resources.models.pace import Pace
from resources.models.presets import endpoint, is_local, key_variable, preset_of
from resources.models.snapshot import Snapshot

if TYPE_CHECKING:
    from openai import AsyncOpenAI


# (request id, body of the reply) -> response; never raises for a reply it cannot read.
Parse = Callable[[str, bytes], Response]

_OVERLOAD = (429, 503, 529)  # 529: Anthropic's "overloaded"


class OpenAIModel(LMM):
    """A model behind an OpenAI-compatible endpoint.

    model:       its name there.
    preset:      a provider by name (`resources.models.presets`), which gives the defaults of base_url,
                 api_key_env, max_tokens_param and drop_params. Without it, that of base_url's host;
                 `none`: none.
    base_url:    of the endpoint; without it the preset's, then `OPENAI_BASE_URL`, then OpenAI's own.
    api_key_env: the environment variable that holds the key. The key itself is never an argument,
                 because arguments are stored and shown. "": none is sent.
    concurrency: requests in flight, at most: fewer while the endpoint is overloaded (`AdaptiveLimit`).
    requests_per_minute, tokens_per_minute: limits kept on our side (0: none).
    timeout:     seconds for one attempt.
    max_retries: attempts after the first, for time-outs, 429, 5xx and broken connections. Waits
                 grow exponentially to a minute; `Retry-After` is honoured, and it halts every
                 request, since the limit is the endpoint's and not one request's.
    max_tokens_param: `max_completion_tokens` for endpoints that refuse `max_tokens`.
    drop_params: generation parameters that are not sent, because the model refuses them; part of the
                 request key where it is given.
    extra:       further fields of the request's body (`{"reasoning_effort": "low"}`); they are
                 part of the request key.
    snapshot:    the model behind an alias (`2025-08-07`): part of the fingerprint, and a reply that
                 names another one ends the run (`Snapshot`).
    max_total_tokens, max_cost: what one run may spend (`Budget`).
    price_in, price_out, price_cached: money for a million tokens; cached ones cost price_in without it.
    log:         gets lines on what the endpoint does to us.
    """

    no_loglikelihood = (
        "chat completions give no log-likelihood of a prompt: evaluate this task with "
        "--model transformers, vllm or sglang, or with output_type: generate_until"
    )

    def __init__(
        self,
        model: str,
        *,
        preset: str | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        concurrency: int = 32,
        requests_per_minute: float = 0,
        tokens_per_minute: float = 0,
        timeout: float = 120,
        max_retries: int = 6,
        max_tokens_param: str | None = None,
        drop_params: Sequence[str] | str | None = None,
        extra: Mapping[str, Any] | None = None,
        snapshot: str = "",
        max_total_tokens: float | None = None,
        max_cost: float | None = None,
        price_in: float | None = None,
        price_out: float | None = None,
        price_cached: float | None = None,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.model, self.base_url, self.log = model, endpoint(base_url, preset), log
        self._preset_name, self._preset = preset_of(preset, self.base_url)
        default = self._preset.key_env if self._preset else "OPENAI_API_KEY"
        self._api_key_env = default if api_key_env is None else key_variable(api_key_env)
        self._concurrency = int(concurrency)
        if self._concurrency < 1:
            raise ModelUnusable(f"concurrency= takes a number of 1 or more, not {concurrency!r}")
        self._rpm, self._tpm = float(requests_per_minute), float(tokens_per_minute)
        self._timeout, self._max_retries = float(timeout), int(max_retries)
        self._max_tokens_param = max_tokens_param or (self._preset.max_tokens_param if self._preset else "max_tokens")
        given = [drop_params] if isinstance(drop_params, str) else drop_params
        self._drop_params = None if given is None else sorted(set(given) - {"none"})
        refused = self._preset.not_taken(model) if self._preset else frozenset()
        self._dropped = refused if self._drop_params is None else frozenset(self._drop_params)
        self._extra = dict(extra or {})
        self._snapshot = Snapshot(model, self.base_url, str(snapshot or ""), log)
        prices = Prices.of({"price_in": price_in, "price_out": price_out, "price_cached": price_cached})
        self._budget = Budget(max_total_tokens, max_cost, prices)
        self._not_sent: set[str] = set()
        self._looking_up = asyncio.Lock()
        self._nearest: str | None = None  # names like the one that it does not know
        self._gate = AdaptiveLimit(self._concurrency)

    @property
    def engine(self) -> Mapping[str, Any]:
        # What a preset leaves out is not in it: a corrected preset must not buy all answers again.
        dropped = {} if self._drop_params is None else {"drop_params": self._drop_params}
        return {"name": "openai", "extra": self._extra, **dropped}

    @property
    def client(self) -> AsyncOpenAI:
        """The `openai` client in use, inside `async with`."""
        return self._client

    @property
    def observed(self) -> Mapping[str, Any]:
        in_flight = self._gate.observed
        found = {"in_flight": in_flight, "parameters_not_sent": sorted(self._not_sent)}
        return {name: value for name, value in found.items() if value}

    async def __aenter__(self) -> OpenAIModel:
        from openai import AsyncOpenAI, DefaultAioHttpClient

        # Endpoints of one's own often want no key; the client insists on one.
        self._key = os.environ.get(self._api_key_env, "").strip()
        if not self._key and self._api_key_env and self._preset and not is_local(self.base_url):
            raise ModelUnusable(
                f"{self._preset_name} ({self.base_url}) wants a key: put it into the environment variable "
                f"{self._api_key_env}, or name another one with api_key_env="
            )
        self._client = AsyncOpenAI(
            base_url=self.base_url,
            api_key=self._key or "none",
            timeout=self._timeout,
            max_retries=0,
            http_client=DefaultAioHttpClient(timeout=self._timeout),
        )
        self._pace = Pace(self._rpm, self._tpm)
        self._gate = AdaptiveLimit(self._concurrency, name=self.base_url, log=self.log)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.close()

    def generate_until(self, requests: Requests) -> AsyncGenerator[Response, None]:
        return in_flight(self._led(requests), self._answer, self._concurrency)

    def _led(self, requests: Requests) -> Requests:
        return leaders_first(requests, self._concurrency // 2)

    async def loglikelihood(self, requests: Requests) -> AsyncGenerator[Response, None]:
        raise ModelUnusable(self.no_loglikelihood)
        yield  # makes this an async generator

    async def _answer(self, request: Instance) -> Response:
        self._check(request)
        body = chat_body(request, self.model, self._max_tokens_param, self._extra, self._dropped)
        return await self._asked(request, "/chat/completions", body, parse_completion)

    def _check(self, request: Instance) -> None:
        """What the preset says of the request, before it costs anything."""
        if self._preset:
            for kind in {media.kind for media in request.media_list} - self._preset.media:
                raise ModelUnusable(
                    f"{self._preset_name} takes no {kind} over chat completions (it takes "
                    f"{', '.join(sorted(self._preset.media))}): evaluate this task elsewhere"
                    + (", or sample the videos as frames (`video:` of the task)" if kind == "video" else "")
                    + "; preset=none sends it all the same"
                )
        given = {name for name, value in request.gen_kwargs.items() if value is not None and value != []}
        if new := (given & self._dropped) - self._not_sent:
            self._not_sent |= new
            self.log(f"{self.model} at {self.base_url} takes no {', '.join(sorted(new))}: not sent")

    async def _asked(self, request: Instance, path: str, body: bytes, parse: Parse) -> Response:
        """The response to a body, after as many attempts as are allowed, within the budget."""
        if not self._budget.capped:
            return await self._attempts(request, path, body, parse)
        async with self._budget.request(request) as answered:
            answered.append(await self._attempts(request, path, body, parse))
        return answered[0]

    async def _attempts(self, request: Instance, path: str, body: bytes, parse: Parse) -> Response:
        from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt

        started = time.perf_counter()
        attempts = AsyncRetrying(
            stop=stop_after_attempt(1 + self._max_retries),
            wait=self._pace.backoff,
            retry=retry_if_result(lambda r: r.error is not None and r.error.retryable),
            retry_error_callback=lambda state: state.outcome.result(),
        )
        response = await attempts(self._ask, request, path, body, parse)
        response.timings["total"] = time.perf_counter() - started
        return response

    def _connection(self, request: Instance) -> AsyncOpenAI:
        """The client that this request goes through: one of several where there are replicas."""
        return self._client

    async def _ask(self, request: Instance, path: str, body: bytes, parse: Parse) -> Response:
        async with self._gate:
            await self._pace.admitted(request)
            began, started = time.monotonic(), time.perf_counter()
            response = await self._attempt(request, path, body, parse, began)
            seconds = response.timings["last_attempt"] = time.perf_counter() - started
            if response.error is None:
                self._gate.answered(began, seconds)
        self._snapshot.see(response.served_by)
        self._pace.used(response.usage)
        return response

    async def _attempt(self, request: Instance, path: str, body: bytes, parse: Parse, began: float) -> Response:
        import httpx2
        import openai

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
            problem = response.error
        except openai.APIError as error:
            if (status := getattr(error, "status_code", None)) in _OVERLOAD:
                self._gate.overloaded(began, f"overloaded ({status})")
            try:
                problem, retry_after = as_error(error, self.model, self.base_url, self._api_key_env, self._key)
            except NoSuchModel as unknown:
                async with self._looking_up:  # once, not by each of those in flight
                    if self._nearest is None:
                        self._nearest = near(self.model, await listed_models(self._client))
                raise NoSuchModel(f"{unknown}{self._nearest and '; '}{self._nearest}") from None
            if retry_after:
                self._pace.halt(retry_after)
            return Response(request.id, finish_reason="error", error=problem, timings={})
        if problem and self._key:
            return replace(response, error=replace(problem, message=redacted(problem.message, self._key)))
        return response
