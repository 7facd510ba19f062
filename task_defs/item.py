"""One question of a task, as the rest of the system sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class MediaRef:
    """A medium of an item: its content hash, or why there is none.

    sha:     hex content hash of the stored bytes; None where the medium is missing.
    mime:    e.g. `image/jpeg`.
    missing: the reason, where the medium could not be had (`file not found: images/7.jpg`).
    """

    sha: str | None
    mime: str = ""
    missing: str | None = None

    @property
    def kind(self) -> str:
        """`image`, `video` or `audio`."""
        return self.mime.split("/", 1)[0]


@dataclass(frozen=True, slots=True)
class Item:
    """One question: its row of the benchmark, its media in order, its label and its cluster.

    target: the label as JSON-able data; None where the data set has none (then it is unscored).
    """

    id: str
    doc: Mapping[str, Any]
    target: Any = None
    choices: tuple[str, ...] | None = None
    media: tuple[MediaRef, ...] = field(default=())
    cluster: str | None = None

    @property
    def missing_media(self) -> str | None:
        """Why this item cannot be sent to a model, or None."""
        return next((m.missing for m in self.media if m.missing), None)
