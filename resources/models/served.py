"""A checkpoint served by an engine of this machine (vLLM, SGLang), which cells share."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from resources.engines.launch import SERVED, engine_version, launch
from resources.engines.lease import Lease, Want, ask
from resources.engines.metrics import between, read
from resources.engines.options import EngineOptions
from resources.engines.slots import Slot, slots
from resources.models.base import Instance, ModelUnusable, Requests, Response
from resources.models.decoding import seeded
from resources.models.openai import OpenAIModel, Parse

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class ServedModel(OpenAIModel):
    """Leases an engine for its checkpoint and asks it as one asks any endpoint.

    label: the checkpoint's key, for people. fingerprint: of its weights; engines are shared by it.
    With `replicas`, requests about one medium go to one replica, whose caches then know it.
    """

    def __init__(
        self,
        source: str,
        options: EngineOptions,
        *,
        label: str,
        fingerprint: str,
        revision: str | None = None,
        configured_slots: tuple[tuple[int | str, ...], ...] = (),
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        super().__init__(
            SERVED,
            base_url="http://engine.invalid/v1",
            concurrency=options.concurrency * options.replicas,
            timeout=3600,
        )
        self.source, self.options, self.label, self.fingerprint = source, options, label, fingerprint
        self.revision, self.configured_slots, self.log = revision, configured_slots, log
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
        self._stack = AsyncExitStack()
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

    # --- which engine -------------------------------------------------------------------------

    def _want(self, slot: Slot) -> Want:
        started = launch(self.options, self.source, revision=self.revision, devices=slot.devices)
        identity = repr((started.command, sorted(self.options.env.items()), self.fingerprint))
        return Want(
            key=sha256(identity.encode()).hexdigest()[:32],
            label=self.label,
            holder=f"{self.label} (process {os.getpid()})",
            kind=started.kind,
            command=started.command,
            env=started.env,
            start_timeout=self.options.start_timeout,
            idle_minutes=self.options.idle_minutes,
        )

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
        return await super()._answer(seeded(request))

    def _connection(self, request: Instance) -> AsyncOpenAI:
        return self._clients[self._replica(request)]

    async def _ask(self, request: Instance, path: str, body: bytes, parse: Parse) -> Response:
        number = self._replica(request)
        lease = self._leases[number]
        await lease.ready()  # at once, unless the engine is being started anew
        self._clients[number].base_url = f"{lease.url}/v1/"
        await lease.begin()
        try:
            return await super()._ask(request, path, body, parse)
        finally:
            await lease.end()

    async def _metrics(self, leases: Sequence[Lease] = ()) -> dict[str, float]:
        """The engines' counters, summed; what does not answer counts nothing."""
        import aiohttp

        total: dict[str, float] = {}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session:
            for lease in leases or self._leases:
                try:
                    async with session.get(f"{lease.url}/metrics") as reply:
                        counted = read(await reply.text())
                except (TimeoutError, aiohttp.ClientError):
                    self.log(f"{lease.url}/metrics does not answer: this cell has no cache figures")
                    continue
                for name, value in counted.items():
                    total[name] = total.get(name, 0.0) + value
        return total
