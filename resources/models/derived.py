"""Folders of weights that are made from others (converted, merged): made once, kept by content."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from resources.store import Store

Log = Callable[[str], None]


def quiet(line: str) -> None:
    """A log that nobody reads."""


def cache_folder() -> Path:
    """Where derived weights lie: EVAL_CACHE, else EVAL_HOME where that is a local path, else the user's cache.

    Engines load from a local path, so a home on object storage cannot hold them. Everything in it can be
    made again: a folder that no run is using may be deleted at any time.
    """
    if named := os.environ.get("EVAL_CACHE"):
        return Path(named).expanduser().absolute()
    home = Store()
    if home.is_local:
        return Path(home.root)
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "eval-assets"


def made_once(kind: str, name: str, make: Callable[[Path], None], log: Log = quiet) -> Path:
    """The folder `<cache>/<kind>/<name>`, which `make` fills (it is given an empty folder) unless it is there.

    Processes of this host wait for each other. The folder appears under its name only when `make` has
    returned; what an interrupted attempt left is removed by the next one.
    """
    root = cache_folder() / kind
    target = root / name
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    with Store(root).lock(name, lambda holder: log(f"{kind} {name}: waiting for {holder}, which makes it")):
        if target.is_dir():
            return target
        for left in root.glob(f".{name}.*"):
            shutil.rmtree(left)
        temporary = root / f".{name}.{os.getpid()}"
        temporary.mkdir()
        try:
            make(temporary)
            os.replace(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)  # gone where it was renamed
    return target
