"""A cell's hold on an engine: asked of the slot's host, which is started where there is none."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from resources.engines.slots import LOCK, SOCKET, Slot
from resources.models.base import ModelUnusable

ALIVE = 5.0  # seconds between two signs of life
HOST_START = 60.0  # seconds for a host to come up, one that is ending included
LOST_HOSTS = 2  # how many hosts a cell may lose before it gives up
LINE = 2**20
_LONGEST_SOCKET = 107  # bytes, of Linux


@dataclass(frozen=True)
class Want:
    """What is to be served.

    key:   of command, settings and weights: leases with the same key share an engine.
    label: the checkpoint, holder: the cell, both for people. command: without host and port.
    model: the folder or hub id in it. swap: an engine that was started with the same one may load this
    model's weights instead of being started anew; None: not known to give the same answers.
    """

    key: str
    label: str
    holder: str
    kind: str
    command: tuple[str, ...]
    env: dict[str, str]
    start_timeout: float
    idle_minutes: float
    model: str = ""
    swap: str | None = None


class Lease:
    """Use as an async context manager; `url` and `ready()` inside it.

    It survives the engine (started once more by the host) and the host (another one is started).
    """

    def __init__(self, slot: Slot, want: Want, log: Callable[[str], None]) -> None:
        self.slot, self.want, self.log = slot, want, log
        self.url = ""
        self.before: dict[str, float] = {}
        self.after: dict[str, float] = {}
        self._ready, self._in_flight, self._failure = asyncio.Event(), 0, ""
        self._since = time.monotonic()
        self._writer: asyncio.StreamWriter | None = None
        self._released = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Lease:
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._show_life())]
        try:
            await self.ready()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        with contextlib.suppress(TimeoutError):  # what it counted is nice to have
            if self._ready.is_set() and await self._say(release=True):
                await asyncio.wait_for(self._released.wait(), 5)
        await self._end()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._writer:
            self._writer.close()

    async def ready(self) -> None:
        """Return when the engine can be asked: at once, or after it was started anew. Raises ModelUnusable."""
        await self._ready.wait()
        if self._failure:
            raise ModelUnusable(self._failure)

    async def begin(self) -> None:
        """A request is on its way."""
        self._in_flight += 1
        if self._in_flight == 1:
            await self._say(in_flight=1)

    async def end(self) -> None:
        self._in_flight -= 1
        if self._in_flight == 0:
            await self._say(in_flight=0)

    @property
    def counted(self) -> dict[str, float]:
        """What the host counted from the first question to the release: `starts`, `start_seconds`, `idle_seconds`."""
        return {name: round(value - self.before.get(name, 0), 3) for name, value in self.after.items()}

    # --- the connection -----------------------------------------------------------------------

    async def _follow(self) -> None:
        try:
            for _ in range(1 + LOST_HOSTS):
                reader, self._writer = await connect(self.slot)
                await self._say(want=asdict(self.want), since=self._since)
                async for line in _lines(reader):
                    self._heard(json.loads(line))
                if self._failure or self._released.is_set():
                    return
                self._ready.clear()  # the host is gone, killed most likely
                self.log("the engine's host is gone: starting another")
            self._fail(f"the host of engine slot {self.slot.name} went away {1 + LOST_HOSTS} times: see "
                       f"{self.slot.folder / 'host.log'}")  # fmt: skip
        except ModelUnusable as error:
            self._fail(str(error))
        except Exception as error:  # whatever it is, who waits for the engine must hear of it
            self._fail(f"the lease on engine slot {self.slot.name} broke: {error!r}")
            raise

    def _heard(self, said: dict[str, Any]) -> None:
        match said.pop("event"):
            case "hello":
                self.before = self.before or said
            case "ready":
                self.url = said["url"]
                self.log(f"{self.want.kind} serves {self.want.label}, log {said['log']}")
                self._ready.set()
            case "released":
                self.after = said
                self._released.set()
            case "lost":
                self._ready.clear()
                self.log(f"{said['why']}\nstarting it once more")
            case "failed":
                self._fail(said["why"])
            case "progress":
                self.log(f"{self.want.kind} for {self.want.label}: {said['line']}")
            case "waiting":
                self.log(f"{self.want.label} waits: {said['why']}")

    def _fail(self, why: str) -> None:
        self._failure = why
        self._ready.set()

    async def _say(self, **message: Any) -> bool:
        if self._writer is None:
            return False
        try:
            self._writer.write(json.dumps(message).encode() + b"\n")
            await self._writer.drain()
        except (ConnectionError, RuntimeError):  # the follower sees to it
            return False
        return True

    async def _show_life(self) -> None:
        while True:
            await asyncio.sleep(ALIVE)
            await self._say(alive=True)


async def _lines(reader: asyncio.StreamReader) -> Any:
    with contextlib.suppress(ConnectionError):
        while line := await reader.readline():
            yield line


async def connect(slot: Slot) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the slot's host, which is started where there is none. Raises ModelUnusable."""
    if len(os.fsencode(slot.folder / SOCKET)) > _LONGEST_SOCKET:
        raise ModelUnusable(f"{slot.folder} is too long a path for a socket: set EVAL_ENGINES to a shorter one")
    deadline = time.monotonic() + HOST_START
    host: subprocess.Popen[bytes] | None = None
    while True:
        with contextlib.suppress(OSError):
            return await asyncio.open_unix_connection(slot.folder / SOCKET, limit=LINE)
        if time.monotonic() > deadline:
            raise ModelUnusable(f"no host for engine slot {slot.name} came up: see {slot.folder / 'host.log'}")
        # One that finds the lock held ends at once: the holder is about to listen, or about to end.
        if host is None or host.poll() is not None:
            host = start_host(slot)
        await asyncio.sleep(0.1)


def start_host(slot: Slot) -> subprocess.Popen[bytes]:
    """A host process that outlives this one."""
    slot.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (slot.folder / "host.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "resources.engines.host", str(slot.folder), *slot.devices],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [_here(), os.environ.get("PYTHONPATH")]))},
        )  # fmt: skip


def _here() -> str:
    """Where this package is found, for a process that is started elsewhere."""
    return str(Path(__file__).resolve().parents[2])


def ask(folder: Path, question: str) -> dict[str, Any] | None:
    """The status of the host in a slot's folder; None where there is no host.

    `stop` makes it end all, `yield` as soon as nobody wants its engine.
    """
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        try:
            connection.connect(str(folder / SOCKET))
        except OSError:
            return None
        connection.sendall(json.dumps({"ask": question}).encode() + b"\n")
        with connection.makefile() as reply:
            status: dict[str, Any] = json.loads(reply.readline() or "{}")
    return status or None


def stop_host(folder: Path) -> bool:
    """End a slot's engine and its host, and return when both have gone; False where there was none."""
    status = ask(folder, "stop")
    if status is None:
        return False
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # it is held as long as the host lives
    return True
