"""The Arcade Learning Environment: games of the Atari 2600, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

from resources.episodes.worlds.world import World


class AleWorld(World):
    """The game stands still while the model thinks: what is asked for is to see what moves where, not to be quick."""

    idle = "noop"

    def prepare(self) -> None:
        import ale_py
        import gymnasium

        gymnasium.register_envs(ale_py)

    def names_of(self, count: int) -> Sequence[str]:
        return [name.lower() for name in self.env.unwrapped.get_action_meanings()][:count]  # type: ignore[attr-defined]
