"""Where the real material is, and how its rows become items."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def rows() -> Callable[[str], list[dict[str, Any]]]:
    """Rows of a JSON-lines file below ../shared/data; the test is skipped where it is absent."""

    def read(name: str) -> list[dict[str, Any]]:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"no real data: {path} does not exist")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    return read
