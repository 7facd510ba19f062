"""What a judge model is shown of an item's media."""

from __future__ import annotations

from typing import Any


def pictures(item: Any) -> tuple[tuple[str, str], ...]:
    """(hash of the bytes, MIME type) of each medium of the item, in order; see `unseen`."""
    return tuple((medium.sha, medium.mime) for medium in getattr(item, "media", ()))


def unseen(item: Any) -> str:
    """Why a judge that is to see the item's pictures cannot: one is missing, or is none; "" where it can."""
    for medium in getattr(item, "media", ()):
        if not medium.sha:
            return f"missing medium: {medium.missing}"
        if not medium.mime.startswith("image/"):
            return f"judge error: it is shown pictures only, and the item has {medium.mime}: leave `media` out"
    return ""
