"""`miniworld`: rooms in three dimensions, first person."""

from __future__ import annotations

from pydantic import Field

from resources.episodes.gymnasium import GymnasiumPlayer, Params


class MiniWorldParams(Params):
    """width, height: of the picture, in pixels."""

    width: int = Field(320, ge=16)
    height: int = Field(240, ge=16)


class MiniWorldPlayer(GymnasiumPlayer):
    """Chevalier-Boisvert et al., Minigrid & Miniworld, 2023, arXiv:2306.13831. Its oracle is A* over its own motion."""

    packages = ("gymnasium", "miniworld")
    world = "miniworld"
    Parameters = MiniWorldParams
