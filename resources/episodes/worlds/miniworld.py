"""MiniWorld: rooms in three dimensions, through the agent's eyes."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from resources.episodes.worlds.route import Motion, shortest
from resources.episodes.worlds.world import World, digest, png

_EDGE = 0.2  # metres: places of one search that are nearer are one


class MiniWorldWorld(World):
    """options, beside those of every world: `width` and `height` of the picture in pixels.

    Drawn off-screen by OpenGL through EGL, on a GPU or by Mesa on the CPU. The picture is what the agent sees; nothing
    says where it is.
    """

    names = ("turn_left", "turn_right", "forward", "back", "pickup", "drop", "toggle", "done")

    def prepare(self) -> None:
        import pyglet

        os.environ.setdefault(
            "LP_NUM_THREADS", "1"
        )  # of Mesa's, where it draws on the CPU: there are many such processes

        pyglet.options["headless"] = True
        import miniworld  # noqa: F401 - registers its environments

    def __init__(self, env: str, options: Mapping[str, Any]) -> None:
        size = {"obs_width": int(options.get("width", 320)), "obs_height": int(options.get("height", 240))}
        super().__init__(env, {**options, "make": {**size, **options.get("make", {})}})
        # It draws after each of the repeated actions, which costs more than all else: only the last one is looked at.
        self._draw, self._world.render_obs = self._world.render_obs, lambda *_, **__: None

    @property
    def _world(self) -> Any:
        return self.env.unwrapped

    def picture(self) -> bytes:
        return png(self._draw())

    def state(self) -> str:
        agent = self._world.agent
        return digest(*(round(float(x), 3) for x in (*agent.pos, math.cos(agent.dir), math.sin(agent.dir))))

    def plan(self) -> list[str] | None:
        """To `box`, where there is one thing to go to; found in a copy of the agent's motion."""
        world = self._world
        if getattr(world, "box", None) is None:
            return None
        x, _, z = (float(v) for v in world.agent.pos)
        motion = Motion(
            step=float(world.params.sample(None, "forward_step")),
            turn=math.radians(float(world.params.sample(None, "turn_step"))),
            repeat=self._repeat,
            free=lambda x, z: not world.intersect(world.agent, (x, 0.0, z), world.agent.radius),
        )
        bx, _, bz = (float(v) for v in world.box.pos)
        near = world.box.radius + world.agent.radius + 1.1 * world.max_forward_step
        moves = shortest((x, z), float(world.agent.dir), (bx, bz), near, motion, _EDGE)
        return None if moves is None else [{"left": "turn_left", "right": "turn_right"}.get(m, m) for m in moves]
