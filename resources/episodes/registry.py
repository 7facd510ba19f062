"""Players by name; none is imported before it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module, metadata
from typing import Any

from resources.episodes.base import Player
from resources.models.base import ModelUnusable

# name: class, and the extra of eval-assets that brings what it needs.
_PLAYERS = {
    "desk": ("resources.episodes.desk.player:DeskPlayer", ""),
    "guess": ("resources.episodes.guess:GuessPlayer", ""),
    "ale": ("resources.episodes.ale:AlePlayer", "atari"),
    "gymnasium": ("resources.episodes.gymnasium:GymnasiumPlayer", "agents"),
    "minigrid": ("resources.episodes.minigrid:MiniGridPlayer", "agents"),
    "miniwob": ("resources.episodes.web.player:MiniWobPlayer", "web"),
    "miniworld": ("resources.episodes.miniworld:MiniWorldPlayer", "agents"),
    "stream": ("resources.episodes.stream:StreamPlayer", "video"),
}


def player_names() -> list[str]:
    return sorted(_PLAYERS)


def player_class(name: str) -> type[Player]:
    """Raises ModelUnusable for an unknown name, with the nearest one."""
    if name not in _PLAYERS:
        near = get_close_matches(name, _PLAYERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "no such player."
        raise ModelUnusable(f"unknown player {name!r}: {hint} There are {', '.join(player_names())}.")
    module, attribute = _PLAYERS[name][0].split(":")
    found: type[Player] = getattr(import_module(module), attribute)
    return found


def player_identity(name: str, params: Mapping[str, Any]) -> list[str]:
    """What decides a player's turns beside its params: its version and its packages', and what params only name.

    A package that is not installed counts as such: results can be read where they cannot be made.
    Raises ModelUnusable where a folder that params name is not there.
    """
    return [*_made_by(name), *player_class(name).contents(params)]


@cache
def _made_by(name: str) -> tuple[str, ...]:
    packages = (f"{package} {version}" for package, version in player_packages(name).items())
    return (name, str(player_class(name).version), *packages)


def player_packages(name: str) -> dict[str, str]:
    """The versions of a player's packages; `-` of one that is not installed."""
    return {package: _version(package) for package in player_class(name).packages}


def build_player(name: str, params: Mapping[str, Any]) -> Player:
    """The player, ready to play. Raises ModelUnusable that says what to install or to mend."""
    cls = player_class(name)
    lacking = [package for package in cls.packages if _version(package) == "-"]
    if lacking:
        extra = _PLAYERS[name][1]
        raise ModelUnusable(f"player {name!r} needs {', '.join(lacking)}: pip install 'eval-assets[{extra}]'")
    try:
        return cls(params)
    except ValueError as error:
        raise ModelUnusable(f"player {name!r}: {error}") from error


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "-"
