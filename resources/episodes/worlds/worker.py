"""An environment's own process: one line of JSON in, one out, a picture's bytes behind it, until the input ends.

{"world": "minigrid", "env": "MiniGrid-Empty-5x5-v0", "options": {...}, "seed": 1}    a new episode
{"action": "forward"}                                                                 a step of it
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from typing import IO, Any

from resources.engines.processes import die_with_parent
from resources.episodes.worlds.world import SetupFaulty, View, World

WORLDS = {
    "gymnasium": "resources.episodes.worlds.world:World",
    "ale": "resources.episodes.worlds.ale:AleWorld",
    "minigrid": "resources.episodes.worlds.minigrid:MiniGridWorld",
    "miniworld": "resources.episodes.worlds.miniworld:MiniWorldWorld",
}


class _Server:
    """Keeps the environment of the latest episode: the next one is often of the same kind."""

    def __init__(self) -> None:
        self._world: World | None = None
        self._made = ""

    def answer(self, asked: Mapping[str, Any]) -> tuple[dict[str, Any], View]:
        if "action" in asked:
            assert self._world is not None
            return {}, self._world.step(asked["action"])
        world = self._make({name: asked[name] for name in ("world", "env", "options")})
        view = world.reset(asked["seed"])
        return {"actions": world.actions, "idle": world.idle, "plan": world.plan()}, view

    def _make(self, asked: Mapping[str, Any]) -> World:
        identity = json.dumps(asked, sort_keys=True)
        if self._world is None or identity != self._made:
            if self._world is not None:
                self._world.close()
                self._world = None
            module, name = WORLDS[asked["world"]].split(":")
            self._world, self._made = getattr(import_module(module), name)(asked["env"], asked["options"]), identity
        return self._world


def serve(asked: IO[bytes], replies: IO[bytes]) -> None:
    """Until the input ends. A fault is an answer too: it says whether the set-up is to blame."""
    server = _Server()
    for line in asked:
        picture = b""
        try:
            reply, view = server.answer(json.loads(line))
            picture = view.picture
            reply |= {"view": asdict(view) | {"picture": len(picture)}}
        except SetupFaulty as error:
            reply = {"faulty": _line(str(error))}
        except Exception as error:
            reply = {"broken": _line(f"{type(error).__name__}: {error}")}
        replies.write(json.dumps(reply).encode() + b"\n" + picture)
        replies.flush()


def _line(text: str) -> str:
    return " ".join(text.split())[:400]


def main() -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; then the input ends
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what environments print, in C too, must not stand between the replies
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
