"""Pages of MiniWoB++ that can be solved from pictures by clicks and keys, and whose oracle is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGES = {
    "click": ("click-test", "click-button", "click-link", "click-tab", "click-color", "click-dialog", "focus-text"),
    "select": ("click-option", "click-checkboxes", "choose-list"),
    "type": ("enter-text", "enter-password", "login-user"),
}


def docs(root: Path, task: object) -> Iterator[dict[str, Any]]:
    """Documents of the task in `miniwob.yaml`."""
    for kind, pages in PAGES.items():
        for page in pages:
            yield {"page": page, "kind": kind}
