"""Libraries that only some judges need."""

from __future__ import annotations

from importlib import metadata


class MissingLibrary(ValueError):
    """A judge needs a package that is not installed; the message says how to get it."""


def version_of(library: str, extra: str) -> str:
    """The installed version. Raises MissingLibrary. extra: that of eval-assets which installs the library, or ""."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError as error:
        what = f"'eval-assets[{extra}]'" if extra else library
        raise MissingLibrary(f"{library} is not installed: pip install {what}") from error
