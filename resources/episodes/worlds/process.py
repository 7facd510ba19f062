"""The run's side of environments in processes of their own: asked over pipes, killed when they hang."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from resources.episodes.base import EpisodeFailed
from resources.episodes.worlds.world import View
from resources.models.base import ModelUnusable

_STARTS = 120.0  # seconds until a new process has imported what it needs, on a busy machine
_LINE = 2**22  # bytes of a reply without its picture
_ROOT = str(Path(__file__).parents[3])


@dataclass(frozen=True)
class Opening:
    """A new episode. actions: their names; idle: that which does nothing; plan: the fewest that succeed, if known."""

    view: View
    actions: list[str]
    idle: str | None
    plan: list[str] | None


class WorldProcess:
    """One process with one environment at a time."""

    def __init__(self, process: asyncio.subprocess.Process, said: IO[bytes], patience: float) -> None:
        """said: what it writes to stderr. patience: seconds that a reset or a step may take."""
        self._process, self._said, self._patience = process, said, patience
        self._fresh = True

    @classmethod
    async def start(cls, patience: float) -> WorldProcess:
        # The current folder too: `module:World-v0` may name a module of the user's own.
        path = os.pathsep.join(filter(None, [_ROOT, os.getcwd(), os.environ.get("PYTHONPATH", "")]))
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "resources.episodes.worlds.worker", stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=said, limit=_LINE, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        return cls(process, said, patience)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def open(self, world: str, env: str, options: Mapping[str, Any], seed: int) -> Opening:
        """Begin an episode. Raises ModelUnusable where the environment cannot be made, else EpisodeFailed."""
        reply, view = await self._ask({"world": world, "env": env, "options": dict(options), "seed": seed})
        return Opening(view, reply["actions"], reply["idle"], reply["plan"])

    async def step(self, action: str) -> View:
        """Raises EpisodeFailed."""
        return (await self._ask({"action": action}))[1]

    async def _ask(self, asked: Mapping[str, Any]) -> tuple[dict[str, Any], View]:
        limit = self._patience + (_STARTS if self._fresh else 0)
        try:
            async with asyncio.timeout(limit):
                found = await self._exchange(asked)
        except TimeoutError:
            await self.kill()
            raise EpisodeFailed(f"the environment did not answer within {limit:g} s and was killed") from None
        except (ConnectionError, asyncio.IncompleteReadError):
            await self._end(2)
            raise EpisodeFailed(f"the environment's process ended by itself{self._last_words()}") from None
        except asyncio.CancelledError:
            await self.kill()  # half asked: of no more use
            raise
        self._fresh = False
        return found

    async def _exchange(self, asked: Mapping[str, Any]) -> tuple[dict[str, Any], View]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(asked).encode() + b"\n")
        await stdin.drain()
        reply = json.loads(await stdout.readuntil(b"\n"))
        if "faulty" in reply:
            raise ModelUnusable(reply["faulty"])
        if "broken" in reply:
            raise EpisodeFailed(f"the environment broke: {reply['broken']}")
        seen = reply.pop("view")
        picture = await stdout.readexactly(seen["picture"])
        return reply, View(**{**seen, "picture": picture})

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        status = f" (exit status {self._process.returncode})"
        return f"{status}: {lines[-1][:200]}" if lines else status

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def close(self, *, at_once: bool = False) -> None:
        """End the process: it ends by itself when its input does, if it is idle."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._end(0 if at_once else 2)
        self._said.close()

    async def _end(self, seconds: float) -> None:
        """Kill it if it does not end by itself meanwhile: killing one that has ended loses its exit status."""
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            await self.kill()


class Worlds:
    """Processes that are used again. Each episode under way holds one, so there are as many as these at most."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._idle: list[WorldProcess] = []

    @contextlib.asynccontextmanager
    async def world(self) -> AsyncIterator[WorldProcess]:
        process = self._idle.pop() if self._idle else await WorldProcess.start(self._patience)
        try:
            yield process
        except (ModelUnusable, EpisodeFailed, asyncio.CancelledError):
            await process.close(at_once=True)  # whatever state it is in, no other episode shall begin with it
            raise
        finally:
            if process.alive:
                self._idle.append(process)

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()
