"""Reading one medium: its bytes exactly as they are, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from task_defs.plain import BYTES
from task_defs.signatures import damage, mime_of


@dataclass(frozen=True, slots=True)
class MediaBytes:
    """A medium as its source holds it. name: its path in the data set, or ""."""

    data: bytes
    mime: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class MissingMedia:
    """Why a medium could not be had, in words that name it."""

    reason: str


def is_media(value: Any) -> bool:
    """Whether a field's value is media by itself: bytes, {"bytes", "path"}, or a list of them.

    A path as text is not: only `doc_to_visual` says that a text is a path.
    """
    if isinstance(value, (list, tuple)):
        return bool(value) and all(is_media(v) for v in value)
    if isinstance(value, BYTES):
        return True
    return isinstance(value, Mapping) and set(value) == {"bytes", "path"} and any(value.values())


def read_media(value: Any, root: Path | None) -> MediaBytes | MissingMedia:
    """The bytes of a medium that a row names or holds, checked by signature and end mark.

    value: a path relative to `root`, bytes, or {"bytes", "path"} (bytes first).
    root:  the folder of the data; no file outside it is read, links resolved.
    Nothing is decoded: a picture that is damaged in the middle passes.
    """
    name = ""
    if isinstance(value, Mapping):
        name = str(value.get("path") or "")
        value = value.get("bytes") if value.get("bytes") is not None else value.get("path")
    if value is None:
        return MissingMedia("the row has neither bytes nor a path")
    if isinstance(value, BYTES):
        return _checked(bytes(value), name)
    if not isinstance(value, (str, Path)):
        return MissingMedia(f"expected a path, bytes or {{bytes, path}}, found a {type(value).__name__}")
    return _read_file(str(value), root)


def _read_file(name: str, root: Path | None) -> MediaBytes | MissingMedia:
    if "://" in name or name.startswith("data:"):
        return MissingMedia(f"not a local file (download it into the data folder): {name[:200]}")
    if root is None:
        return MissingMedia(f"no folder to look in for {name}")
    try:
        base = root.resolve()
        path = (base / name).resolve()
        if not path.is_relative_to(base):
            return MissingMedia(f"outside the data folder: {name}")
        data = path.read_bytes()
    except FileNotFoundError:
        return MissingMedia(f"file not found: {name}")
    except (OSError, ValueError, RuntimeError) as error:  # a folder, no permission, a NUL, a loop of links
        return MissingMedia(f"cannot be read: {name}: {getattr(error, 'strerror', None) or error}")
    return _checked(data, name)


def _checked(data: bytes, name: str) -> MediaBytes | MissingMedia:
    called = name or "bytes in the row"
    if not data:
        return MissingMedia(f"empty (0 bytes): {called}")
    mime = mime_of(data)
    if mime is None:
        return MissingMedia(f"not a known image, video or audio format: {called}")
    if fault := damage(data, mime):
        return MissingMedia(f"damaged ({fault}): {called}")
    return MediaBytes(data, mime, name)
