"""The process that owns a slot: `python -m resources.engines.host FOLDER DEVICES`, outliving every run.

Cells talk to it over a socket (`tenant` has the words). When nobody has wanted anything for the idle time,
the engine is ended and so is this.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from resources.engines.arbiter import Waiter, decide
from resources.engines.devices import Devices
from resources.engines.idle import IdleClock
from resources.engines.lease import ask
from resources.engines.server import Engine, EngineFailed, reap
from resources.engines.slots import LOCK, SOCKET
from resources.engines.swap import SwapFailed, swap_weights
from resources.engines.tenant import Tenant

PATIENCE = 600.0  # seconds after which another checkpoint's cells no longer let the served one's go first
SILENCE = 60.0  # a holder that shows no sign of life for so long has lost its lease
LINE = 8 * 2**20  # an environment may be large


class Host:
    """One slot: at most one engine, its tenants, and who is served next."""

    def __init__(self, folder: Path, devices: Sequence[str] = ()) -> None:
        self.folder, self.devices = folder, Devices(folder, devices)
        self.tenants: dict[int, Tenant] = {}
        self.engine: Engine | None = None
        self.serving: dict[str, Any] | None = None
        self.changed = asyncio.Event()
        self.stopping = asyncio.Event()
        self.yielding = False  # another slot wants the GPUs
        self.starts = 0
        self.crashes: Counter[str] = Counter()  # by what was served, since a cell of it ended well
        self.start_seconds = 0.0
        self.idle = IdleClock()
        self._unwanted_since = time.monotonic()

    # --- who comes and goes -------------------------------------------------------------------

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = json.loads(await reader.readline() or b"{}")
            if "ask" in first:
                writer.write(json.dumps(self.status()).encode() + b"\n")
                await writer.drain()
                if first["ask"] == "stop":
                    self.stopping.set()
                elif first["ask"] == "yield":
                    self.yielding = True
                    self.changed.set()
            elif "want" in first:
                await self._serve(reader, Tenant(first["want"], writer, first["since"]))
        except (ConnectionError, ValueError):
            pass  # it was killed, or is no cell of ours
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, tenant: Tenant) -> None:
        number = id(tenant)
        self.tenants[number] = tenant
        self.record("asks", checkpoint=tenant.want["label"], holder=tenant.want["holder"])
        await tenant.tell(event="hello", **self.counters())
        self._count_idle()
        self.changed.set()
        try:
            while line := await reader.readline():
                said = json.loads(line)
                tenant.seen = time.monotonic()
                if "in_flight" in said:
                    tenant.in_flight = said["in_flight"]
                    self._count_idle()
                if "release" in said:
                    self.crashes.pop(tenant.want["key"], None)
                    self._count_idle()
                    await tenant.tell(event="released", **self.counters())
                    break
        finally:
            self.tenants.pop(number, None)
            self._unwanted_since = time.monotonic()
            self.record("leaves", checkpoint=tenant.want["label"], holder=tenant.want["holder"])
            self._count_idle()
            self.changed.set()

    def holders(self) -> list[Tenant]:
        return [t for t in self.tenants.values() if t.holds]

    # --- what is served -----------------------------------------------------------------------

    async def run(self) -> None:
        """Until nobody has wanted an engine for its idle time or another slot needs its GPUs, or somebody says stop."""
        while not self.stopping.is_set():
            self.changed.clear()
            await self._arrange()
            if not self.tenants and (self.yielding or time.monotonic() - self._unwanted_since > self._idle_limit()):
                return
            await self._until_something_happens()
            self._drop_silent()

    def _idle_limit(self) -> float:
        return 60 * float(self.serving["idle_minutes"]) if self.serving else 5.0

    async def _until_something_happens(self) -> None:
        waits = [asyncio.ensure_future(self.changed.wait()), asyncio.ensure_future(self.stopping.wait())]
        if self.engine:
            waits.append(asyncio.ensure_future(self.engine.ended()))
        done, pending = await asyncio.wait(waits, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        if self.engine and len(waits) == 3 and waits[2] in done:
            await self._died(waits[2].result())

    async def _arrange(self) -> None:
        waiting = [Waiter(n, t.want["key"], t.since) for n, t in self.tenants.items() if not t.holds]
        if not waiting:
            return
        serving = self.serving["key"] if self.serving else None
        decision = decide(serving, len(self.holders()), waiting, time.monotonic(), PATIENCE)
        if decision.key != serving:
            await self._switch(self.tenants[decision.granted[0]].want)
        if self.engine:
            for number in decision.granted:
                await self._grant(self.tenants.get(number))
        for tenant in [t for t in self.tenants.values() if not t.holds]:
            why = f"the engine serves {(self.serving or {}).get('label')}"
            if tenant.told != why:
                tenant.told = why
                await tenant.tell(event="waiting", why=why)

    async def _grant(self, tenant: Tenant | None) -> None:
        if tenant is None or tenant.holds or not self.engine or not self.serving:
            return  # it left while the engine started
        tenant.holds = True
        self._count_idle()
        self.record("granted", checkpoint=tenant.want["label"], holder=tenant.want["holder"])
        await tenant.tell(event="ready", url=self.engine.url, log=str(self.engine.log))

    async def _switch(self, want: dict[str, Any]) -> None:
        """Serve something else. Those that want it and cannot have it are told why."""
        if await self._swap(want):
            return
        await self._stop_engine()
        engine = Engine(self.folder, want["command"], want["env"], want["start_timeout"])

        async def progress(line: str) -> None:
            for tenant in self._wanting(want["key"]):
                await tenant.tell(event="progress", line=line)

        async def start() -> None:
            await self._until_gpus_are_free(progress)
            self.starts += 1
            self.record("starts", checkpoint=want["label"], log=engine.log.name)
            await engine.start(progress)

        try:
            await self._while_wanted(start(), want["key"])
        except EngineFailed as error:
            await engine.stop()
            self.record("failed", checkpoint=want["label"], why=str(error))
            await self._refuse(want, f"{want['kind']} cannot serve {want['label']}: {error}")
            return
        self.engine, self.serving = engine, want
        self.start_seconds += engine.start_seconds
        self.record("ready", checkpoint=want["label"], seconds=round(engine.start_seconds, 2))
        self._count_idle()

    async def _until_gpus_are_free(self, progress: Callable[[str], Awaitable[None]]) -> None:
        """A slot that shares a GPU with this one gives it up as soon as nobody wants its engine."""
        told = None
        while (other := self.devices.take()) is not None:
            if other != told:
                told = other
                await progress(f"waits for a GPU that the engine of slot {other} holds")
            await asyncio.to_thread(ask, self.folder.parent / other, "yield")
            await asyncio.sleep(0.5)

    async def _swap(self, want: dict[str, Any]) -> bool:
        """Load the weights into the engine that runs, where that is known to be right."""
        if self.engine is None or self.serving is None or not want["swap"] or self.serving["swap"] != want["swap"]:
            return False
        started = time.monotonic()
        try:
            await asyncio.to_thread(swap_weights, self.engine.url, want["kind"], want["model"])
        except SwapFailed as error:
            self.record("swap failed", checkpoint=want["label"], why=str(error))
            return False
        self.serving = want
        self.record("swaps", checkpoint=want["label"], seconds=round(time.monotonic() - started, 3))
        self._count_idle()
        return True

    async def _while_wanted(self, start: Coroutine[Any, Any, None], key: str) -> None:
        """Give a start up when the host is stopped, or when only others wait by now."""
        task = asyncio.ensure_future(start)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=0.5)
                if self.stopping.is_set() or (self.tenants and not self._wanting(key)):
                    raise EngineFailed("nobody waits for it any more")
            task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _died(self, code: int) -> None:
        """Once, those that hold it get another; if that dies too, the checkpoint is at fault and not chance."""
        assert self.engine
        assert self.serving
        engine, want = self.engine, self.serving
        why = f"the engine ended with {code} while it served {want['label']}: {engine.last_words()}"
        self.record("died", checkpoint=want["label"], code=code)
        await self._stop_engine()
        if self._wanting(want["key"]):
            self.crashes[want["key"]] += 1
        if self.crashes[want["key"]] > 1:
            await self._refuse(want, f"{why}\nIt has been started anew once already.")
            return
        for tenant in self.holders():
            tenant.holds, tenant.in_flight = False, 0
            await tenant.tell(event="lost", why=why)

    async def _stop_engine(self) -> None:
        engine, self.engine = self.engine, None
        self._count_idle()
        if engine:
            self.record("stops", checkpoint=(self.serving or {}).get("label"))
            self.serving = None
            await engine.stop()

    async def _refuse(self, want: dict[str, Any], why: str) -> None:
        for tenant in self._wanting(want["key"]):
            self.tenants.pop(id(tenant), None)
            await tenant.tell(event="failed", why=why)
            tenant.writer.close()

    def _drop_silent(self) -> None:
        for number, tenant in list(self.tenants.items()):
            if time.monotonic() - tenant.seen > SILENCE:
                self.record("silent", checkpoint=tenant.want["label"], holder=tenant.want["holder"])
                self.tenants.pop(number)
                tenant.writer.close()
                self.changed.set()

    def _wanting(self, key: str) -> list[Tenant]:
        return [t for t in self.tenants.values() if t.want["key"] == key]

    # --- what is known of it ------------------------------------------------------------------

    def _count_idle(self) -> None:
        working = any(t.in_flight for t in self.tenants.values())
        self.idle.run(bool(self.engine and self.tenants and not working))

    def counters(self) -> dict[str, float]:
        """Of this host's whole life; a cell subtracts what it saw when it got its lease."""
        return {"starts": self.starts, "start_seconds": self.start_seconds, "idle_seconds": self.idle.seconds}

    def status(self) -> dict[str, Any]:
        serving = self.serving or {}
        tenants = [{"checkpoint": t.want["label"], "holder": t.want["holder"], "holds": t.holds} for t in
                   self.tenants.values()]  # fmt: skip
        return {
            "pid": os.getpid(), "key": serving.get("key"), "checkpoint": serving.get("label"),
            "kind": serving.get("kind"), "url": self.engine.url if self.engine else None,
            "log": str(self.engine.log) if self.engine else None, "tenants": tenants, **self.counters(),
        }  # fmt: skip

    def record(self, event: str, **about: Any) -> None:
        """One line in the slot's history."""
        with (self.folder / "events.jsonl").open("a") as file:
            file.write(json.dumps({"at": time.time(), "event": event, **about}) + "\n")


async def _serve(folder: Path, devices: list[str]) -> None:
    host, path = Host(folder, devices), folder / SOCKET
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(host.connected, path, limit=LINE)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, host.stopping.set)
    host.record("host starts", pid=os.getpid())
    try:
        await host.run()
    finally:
        path.unlink(missing_ok=True)  # first, so that who comes now starts another host and waits for the lock
        server.close()
        for tenant in list(host.tenants.values()):
            await host._refuse(tenant.want, "the engine's host was stopped (`evals engines stop`)")
        await host._stop_engine()
        host.record("host ends", idle_seconds=round(host.idle.seconds, 3), starts=host.starts)


def main(folder: Path, devices: list[str]) -> int:
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 3
        if reap(folder):
            sys.stderr.write("ended an engine whose host was killed\n")
        asyncio.run(_serve(folder, devices))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
