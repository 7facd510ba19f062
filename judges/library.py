"""Libraries that only some judges need."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class MissingLibrary(ValueError):
    """A judge needs a package that is not installed; the message says how to get it."""


def needed(module: str, package: str, extra: str) -> Any:
    """The module. Raises MissingLibrary. extra: that of eval-assets which installs the package."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingLibrary(f"{package} is not installed: pip install 'eval-assets[{extra}]'") from error
