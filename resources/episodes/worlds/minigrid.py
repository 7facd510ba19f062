"""MiniGrid: rooms of squares, seen from above or through the agent's eyes."""

from __future__ import annotations

from typing import Any

from resources.episodes.worlds.minigrid_plan import Goal, Scene, plan
from resources.episodes.worlds.world import View, World, digest, png

_FACING = ("east", "south", "west", "north")
_AGENT = (">", "v", "<", "^")
_LETTERS = {"wall": "#", "goal": "G", "lava": "~", "key": "K", "ball": "O", "box": "B", "floor": "."}
_LEGEND = "# wall, . free, G goal, ~ lava, K key, O ball, B box, D closed door, L locked door, _ open door"


class MiniGridWorld(World):
    """options, beside those of every world: `view` (`full`: all from above; `agent`: what it sees before it, itself at
    the bottom, looking up), `tile` (pixels of a square's side).
    """

    names = ("left", "right", "forward", "pickup", "drop", "toggle", "done")

    def prepare(self) -> None:
        import minigrid  # noqa: F401 - registers its environments

    @property
    def _world(self) -> Any:
        return self.env.unwrapped

    @property
    def _whole(self) -> bool:
        return bool(self.options.get("view", "full") == "full")

    def text(self) -> str:
        world = self._world
        held = f"the {world.carrying.color} {world.carrying.type}" if world.carrying else "nothing"
        facing = f"face {_FACING[world.agent_dir]} and " if self._whole else ""
        return f"Mission: {world.mission}.\nYou {facing}carry {held}."

    def map(self) -> str:
        """The squares as letters, colours by their first letter."""
        world = self._world
        if self._whole:
            grid, (x, y), me = world.grid, world.agent_pos, _AGENT[world.agent_dir]
        else:
            grid, _ = world.gen_obs_grid()
            x, y, me = world.agent_view_size // 2, world.agent_view_size - 1, "^"
        rows = [
            " ".join(me + " " if (i, j) == (x, y) else _square(grid.get(i, j)) for i in range(grid.width))
            for j in range(grid.height)
        ]
        rows = [row.rstrip() for row in rows]
        return f"Map ({_LEGEND}; the second letter is the colour; {me} is you):\n" + "\n".join(rows)

    def picture(self) -> bytes:
        tile = int(self.options.get("tile", 32))
        return png(self._world.get_frame(highlight=False, tile_size=tile, agent_pov=not self._whole))

    def state(self) -> str:
        world = self._world
        held = (world.carrying.type, world.carrying.color) if world.carrying else None
        return digest(world.grid.encode().tobytes(), tuple(map(int, world.agent_pos)), int(world.agent_dir), held)

    def reset(self, seed: int) -> View:
        view = super().reset(seed)
        self._scene = self._as_scene()
        return view

    def plan(self) -> list[str] | None:
        goal = self._goal()
        return None if goal is None else plan(self._scene, goal, self.actions)

    def _goal(self) -> Goal | None:
        """What ends the episode well, from the environment's own target; None where it is of no kind known here."""
        world = self._world
        if (at := getattr(world, "target_pos", None)) is not None:  # GoToDoor, GoToObject
            return Goal("beside", frozenset({(int(at[0]), int(at[1]))}))
        squares = [(i, j, world.grid.get(i, j)) for i in range(world.grid.width) for j in range(world.grid.height)]
        if (kind := getattr(world, "targetType", None)) is not None:  # Fetch
            color = world.targetColor
            same = {(i, j) for i, j, cell in squares if cell and (cell.type, cell.color) == (kind, color)}
            return Goal("hold", frozenset(same), only=True)
        if (wanted := getattr(world, "obj", None)) is not None:  # UnlockPickup
            return Goal("hold", frozenset((i, j) for i, j, cell in squares if cell is wanted))
        goals = frozenset((i, j) for i, j, cell in squares if cell and cell.type == "goal")
        return Goal("reach", goals) if goals else None

    def _as_scene(self) -> Scene:
        world = self._world
        free, things, doors = set(), {}, {}
        for i in range(world.grid.width):
            for j in range(world.grid.height):
                cell = world.grid.get(i, j)
                if cell is None or cell.type in ("goal", "floor"):
                    free.add((i, j))
                elif cell.type == "door":
                    doors[i, j] = (cell.color, "open" if cell.is_open else "locked" if cell.is_locked else "closed")
                elif cell.can_pickup():
                    things[i, j] = (cell.type, cell.color)
        x, y = world.agent_pos
        return Scene(frozenset(free), things, doors, (int(x), int(y)), int(world.agent_dir))


def _square(cell: Any) -> str:
    if cell is None:
        return ". "
    if cell.type == "door":
        return ("_" if cell.is_open else "L" if cell.is_locked else "D") + cell.color[0]
    letter = _LETTERS.get(cell.type, "?")
    return letter + (" " if cell.type in ("wall", "floor", "lava", "goal") else cell.color[0])
