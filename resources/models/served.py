"""A checkpoint served by an engine of this machine (vLLM, SGLang), which cells share."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.engines.launch import SERVED, engine_version, launch
from resources.engines.lease import Lease, Want, ask
from resources.engines.metrics import between, kv_use, read
from resources.engines.options import EngineOptions
from resources.engines.slots import Slot, media_folder, slots
from resources.engines.swap import SWAPPABLE_ENV, qualification, swap_key
from resources.models.base import Instance, ModelUnusable, Requests, Response, ResponseError
from resources.models.concurrent import in_flight
from resources.models.decoding import seeded
from resources.models.loglikelihood import poster
from resources.models.media_files import MediaFiles
from resources.models.merging import served_weights
from resources.models.openai import OpenAIModel, Parse
from resources.models.openai_wire import chat_body

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class ServedModel(OpenAIModel):
    """Leases an engine for its checkpoint and asks it as one asks any endpoint.

    label: the checkpoint's key, for people. fingerprint: of its weights; engines are shared by it.
    weight_args: what decides which weights are meant: revision, base of an adapter, converter.
    With `replicas`, requests about one medium go to one replica, whose caches then know it.
    """

    no_loglikelihood = ""

    def __init__(
        self,
        source: str,
        options: EngineOptions,
        *,
        label: str,
        fingerprint: str,
        weight_args: Mapping[str, Any],
        configured_slots: tuple[tuple[int | str, ...], ...] = (),
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        super().__init__(
            SERVED,
            base_url="http://engine.invalid/v1",
            api_key_env="",  # it wants none, and is not shown the one that is meant for somebody else
            concurrency=options.concurrency * options.replicas,
            timeout=3600,
        )
        self.source, self.options, self.label, self.fingerprint = source, options, label, fingerprint
        self.weight_args, self.configured_slots, self.log = dict(weight_args), configured_slots, log
        self._leases: list[Lease] = []
        self._clients: list[AsyncOpenAI] = []
        self._seen: dict[str, Any] = {}

    @property
    def engine(self) -> Mapping[str, Any]:
        return {"name": self.options.kind, "version": engine_version(self.options), **self.options.answering()}

    @property
    def observed(self) -> Mapping[str, Any]:
        return self._seen

    async def __aenter__(self) -> ServedModel:
        import aiohttp  # noqa: F401  # here and not while the engine waits for us

        engine_version(self.options)  # a wrong interpreter is said before a host is started
        self._served = await asyncio.to_thread(
            served_weights, self.source, self.weight_args, fingerprint=self.fingerprint, log=self.log
        )
        self._stack = AsyncExitStack()
        self._files = MediaFiles(media_folder()) if self.options.shares_disk else None
        if self._files:
            self._stack.callback(self._files.close)
        try:
            for slot in self._choose():
                await super().__aenter__()
                self._stack.push_async_callback(self._client.close)
                self._clients.append(self._client)
                self._leases.append(Lease(slot, self._want(slot), self.log))
            for lease in self._leases:
                await self._stack.enter_async_context(lease)
            self._begun, self._before = time.monotonic(), await self._metrics()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._leave()

    async def _leave(self) -> None:
        """Give the engine to the next cell, and keep what was counted meanwhile."""
        leases, self._leases = self._leases, []
        if not leases:
            return
        after = await self._metrics(leases)
        await self._stack.aclose()
        counted = [lease.counted for lease in leases]
        self._seen = {
            "replicas": len(leases),
            "url": [lease.url for lease in leases],
            "command": " ".join(leases[0].want.command),
            **{name: sum(c.get(name, 0) for c in counted) for name in ("starts", "start_seconds", "idle_seconds")},
            **between(self._before, after, time.monotonic() - self._begun),
        }

    async def generate_until(self, requests: Requests) -> AsyncGenerator[Response, None]:
        async with aclosing(super().generate_until(requests)) as responses:
            async for response in responses:
                yield response
        await self._leave()  # now: what comes is stored before the model is left, and others wait for the engine

    async def loglikelihood(self, requests: Requests) -> AsyncGenerator[Response, None]:
        score = await self._scorer()
        async with aclosing(in_flight(self._led(requests), score, self._concurrency)) as responses:
            async for response in responses:
                yield response
        await self._leave()

    async def _scorer(self) -> Callable[[Instance], Awaitable[Response]]:
        if self.options.kind == "vllm":
            from resources.models.loglikelihood_vllm import score as score_vllm

            def body(instance: Instance, fields: Mapping[str, Any]) -> bytes:
                return chat_body(instance, SERVED, "max_tokens", fields)

            return lambda request: score_vllm(self._filed(request), poster(self._asked, request), body)
        from resources.models.loglikelihood_sglang import load_prompts
        from resources.models.loglikelihood_sglang import score as score_sglang

        revision, template = self.weight_args.get("revision"), self.options.chat_template
        prompts = await asyncio.to_thread(load_prompts, self._served, revision, chat_template=template)
        return lambda request: score_sglang(request, poster(self._asked, request), prompts)

    # --- which engine -------------------------------------------------------------------------

    def _want(self, slot: Slot) -> Want:
        revision = self.weight_args.get("revision")
        started = launch(self.options, self._served, revision=revision, devices=slot.devices)
        identity = repr((started.command, sorted(self.options.env.items()), self.fingerprint))
        swap = self._swap_key()
        return Want(
            key=sha256(identity.encode()).hexdigest()[:32],
            label=self.label,
            holder=f"{self.label} (process {os.getpid()})",
            kind=started.kind,
            command=started.command,
            env=started.env | (SWAPPABLE_ENV[started.kind] if swap else {}),
            model=self._served,
            swap=swap,
            start_timeout=self.options.start_timeout,
            idle_minutes=self.options.idle_minutes,
        )

    def _swap_key(self) -> str | None:
        """What other checkpoints this one's engine may become without a start; None: none, as far as is known."""
        folder = Path(self._served)
        if not self.options.swap or not folder.is_dir():
            return None
        key = swap_key(self.options, engine_version(self.options), folder)
        return key if (qualification(key) or {}).get("passed") else None

    def _choose(self) -> list[Slot]:
        """The slots to ask: those that serve this already, then free ones, then the least wanted."""
        there = slots(self.configured_slots, self.options.devices)
        if self.options.replicas > len(there):
            raise ModelUnusable(
                f"replicas: {self.options.replicas}, but this machine has {len(there)} engine slots: "
                "name more in `slots:` of models.yaml"
            )

        def rank(slot: Slot) -> tuple[int, int]:
            status = ask(slot.folder, "status")
            if status is None or status["key"] is None:
                return (1, len(status["tenants"]) if status else 0)
            return (0, 0) if status["key"] == self._want(slot).key else (2, len(status["tenants"]))

        return sorted(there, key=rank)[: self.options.replicas]

    def _replica(self, request: Instance) -> int:
        """The same for all questions on one medium."""
        about = request.media_list[0].sha if request.media_list else request.id
        return int(sha256(about.encode()).hexdigest()[:8], 16) % len(self._leases)

    # --- asking -------------------------------------------------------------------------------

    async def _answer(self, request: Instance) -> Response:
        return await super()._answer(self._filed(seeded(request)))

    def _filed(self, request: Instance) -> Instance:
        return self._files.instance(request) if self._files else request

    def _connection(self, request: Instance) -> AsyncOpenAI:
        return self._clients[self._replica(request)]

    async def _ask(self, request: Instance, path: str, body: bytes, parse: Parse) -> Response:
        """One attempt. The engine has a queue of its own: nothing is held back here when it slows down."""
        number = self._replica(request)
        lease = self._leases[number]
        await lease.ready()  # at once, unless the engine is being started anew
        self._clients[number].base_url = f"{lease.url}/v1/"
        await lease.begin()
        began, started = time.monotonic(), time.perf_counter()
        try:
            # From the server's root, where an engine's own requests are beside OpenAI's.
            where = path if path == "/chat/completions" else lease.url + path
            response = await self._attempt(request, where, body, parse, began)
        finally:
            await lease.end()
        response.timings["last_attempt"] = time.perf_counter() - started
        return _explained(response)

    async def _metrics(self, leases: Sequence[Lease] = ()) -> dict[str, float]:
        """The engines' counters, summed; what does not answer counts nothing."""
        total: dict[str, float] = {}
        async for url, text in _told(leases or self._leases, seconds=10):
            if text is None:
                self.log(f"{url} does not answer: this cell has no cache figures")
                continue
            for name, value in read(text).items():
                total[name] = total.get(name, 0.0) + value
        return total

    async def kv_use(self) -> float | None:
        """The mean over replicas."""
        shares = [kv_use(text) async for _, text in _told(self._leases, seconds=2) if text is not None]
        known = [share for share in shares if share is not None]
        return sum(known) / len(known) if known else None


async def _told(leases: Sequence[Lease], *, seconds: float) -> AsyncIterator[tuple[str, str | None]]:
    """What each engine tells at /metrics; None of one that does not answer in time."""
    import aiohttp

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(seconds)) as session:
        for url in [f"{lease.url}/metrics" for lease in leases]:
            try:
                async with session.get(url) as reply:
                    yield url, await reply.text()
            except (TimeoutError, aiohttp.ClientError):
                yield url, None


# vLLM: "At most 4 image(s) may be provided in one prompt." SGLang: "Too many images ..." and the like.
_TOO_MANY = re.compile(r"at most \d+ \w+(\(s\))? may be provided|too many (images|videos|audios)", re.IGNORECASE)


def _explained(response: Response) -> Response:
    """More media than the engine was started for: that item's answer under these settings, and how to change them."""
    error = response.error
    if error is None or not _TOO_MANY.search(error.message):
        return response
    said = f"{error.message} Raise limit_mm_per_prompt of the engine: what was refused is then asked again"
    return replace(response, error=ResponseError("unsupported_media", said, retryable=False))
