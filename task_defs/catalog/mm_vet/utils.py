"""MM-Vet: each question with the capabilities that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

CAPABILITIES = ("rec", "ocr", "know", "gen", "spat", "math")


def with_capabilities(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`integration`: the combination, in one order; each capability a field of its own, "yes" where it is needed."""
    for doc in docs:
        given = doc.get("capability") or []
        needed = {part.strip() for part in given.split(",")} if isinstance(given, str) else set(given)
        yield {
            **doc,
            "integration": ", ".join(name for name in CAPABILITIES if name in needed) or None,
            **{name: "yes" if name in needed else None for name in CAPABILITIES},
        }
