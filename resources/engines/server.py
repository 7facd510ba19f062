"""One engine process: started, watched until it is healthy, ended with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from resources.engines.causes import likely_cause, told
from resources.engines.processes import end_session, identity

KEPT_LOGS = 5
POLL = 0.25
TELL = 10.0  # seconds between two lines of progress
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a loopback address is no proxy's business


class EngineFailed(RuntimeError):
    """The engine did not start, or ended; the message has its last words."""


class Engine:
    """An engine in a slot's folder. `start` before anything else; `stop` in any case."""

    def __init__(self, folder: Path, command: list[str], env: Mapping[str, str], timeout: float) -> None:
        self.folder, self.command, self.env, self.timeout = folder, command, dict(env), timeout
        self.url, self.log = "", _next_log(folder)
        self.start_seconds = 0.0
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, progress: Callable[[str], Awaitable[None]]) -> None:
        """Return when it answers. Raises EngineFailed."""
        started = time.monotonic()
        for last in (False, False, True):
            try:
                await self._start(progress)
                break
            except EngineFailed:
                await self.stop()
                # Between our looking for a free port and its binding it, somebody else may take it.
                if last or likely_cause(tail(self.log)) != "port taken":
                    raise
        self.start_seconds = time.monotonic() - started

    async def _start(self, progress: Callable[[str], Awaitable[None]]) -> None:
        port = _free_port()
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "resources.engines.keeper",
                stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        _remember(self.folder, self._process.pid)
        assert self._process.stdin
        command = [*self.command, "--host", "127.0.0.1", "--port", str(port)]
        self._process.stdin.write(json.dumps({"command": command, "env": self.env}).encode() + b"\n")
        await self._process.stdin.drain()
        self.url = f"http://127.0.0.1:{port}"
        await self._until_healthy(progress)

    async def _until_healthy(self, progress: Callable[[str], Awaitable[None]]) -> None:
        assert self._process
        begun, said = time.monotonic(), 0.0
        while not await asyncio.to_thread(_healthy, f"{self.url}/health"):
            waited = time.monotonic() - begun
            if self._process.returncode is not None:
                code = self._process.returncode
                raise EngineFailed(f"it ended with {code} after {waited:.0f} s: {self.last_words()}")
            if waited > self.timeout:
                raise EngineFailed(f"not healthy after {waited:.0f} s (start_timeout): {self.last_words()}")
            if waited - said >= TELL:
                said = waited
                await progress(f"starting for {waited:.0f} s: {(tail(self.log, 1) or ['no word yet'])[-1][-160:]}")
            await asyncio.sleep(POLL)

    def last_words(self) -> str:
        return told(tail(self.log))

    async def ended(self) -> int:
        """Wait until it ends by itself; its exit code."""
        assert self._process
        return await self._process.wait()

    async def stop(self) -> None:
        """End it and all that it started."""
        if self._process is None:
            return
        if self._process.stdin:
            self._process.stdin.close()  # the keeper ends it
        with contextlib.suppress(TimeoutError):  # what is left is ended below
            await asyncio.wait_for(self._process.wait(), 30)
        await asyncio.to_thread(end_session, self._process.pid)
        await self._process.wait()
        (self.folder / "engine.json").unlink(missing_ok=True)


def tail(log: Path, lines: int = 400) -> list[str]:
    """The last lines of a log, without empty ones."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 200_000))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return list(deque((line for line in text.splitlines() if line.strip()), maxlen=lines))


def reap(folder: Path) -> bool:
    """End what an engine of this slot left behind when its host was killed; whether there was anything.

    By its session, which cannot be given to another process while a member lives, unless the
    leader's number now belongs to a process that started later.
    """
    file = folder / "engine.json"
    try:
        left = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return False
    now = identity(left["session"])
    found = now in (None, left["identity"])
    if found:
        end_session(left["session"])
    file.unlink(missing_ok=True)
    return found


def _remember(folder: Path, pid: int) -> None:
    temporary = folder / f".engine.{os.getpid()}"
    temporary.write_text(json.dumps({"session": pid, "identity": identity(pid)}))
    temporary.rename(folder / "engine.json")


def _next_log(folder: Path) -> Path:
    logs = sorted(folder.glob("engine-*.log"), key=lambda p: int(p.stem.split("-")[1]))
    for old in logs[: -KEPT_LOGS + 1]:
        old.unlink()
    number = int(logs[-1].stem.split("-")[1]) + 1 if logs else 1
    return folder / f"engine-{number}.log"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(url: str) -> bool:
    try:
        with _DIRECT.open(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False
