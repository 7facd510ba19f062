"""`minigrid`: rooms of squares with goals, keys and doors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from resources.episodes.gymnasium import GymnasiumPlayer, Params


class MiniGridParams(Params):
    """view: `full`, all from above, or `agent`, what it sees before it. tile: pixels of a square's side."""

    view: Literal["full", "agent"] = "full"
    tile: int = Field(32, ge=4)


class MiniGridPlayer(GymnasiumPlayer):
    """Chevalier-Boisvert et al., Minigrid & Miniworld, 2023, arXiv:2306.13831. Its oracle is the shortest plan."""

    packages = ("gymnasium", "minigrid")
    world = "minigrid"
    Parameters = MiniGridParams
