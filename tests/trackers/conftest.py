"""A checkpoint's report as `checkpoint_report` writes it, cut down to what is pushed; a project with real runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eval_assets.trackers import Point, point_of
from tests.assets.conftest import project  # noqa: F401


def make_report(step: int | None = 4000, value: float | None = 0.4, run: str | None = "exp7", **changes: Any) -> dict:
    primary = {"value": value, "ci_low": 0.3, "ci_high": 0.5, "n": 300, "coverage": 1.0}
    entry = {"task": "mathvision", "b": "base", "mean_diff": 0.02, "ci_low": -0.01, "ci_high": 0.05}
    return {
        "checkpoint": f"{run}.{step}" if run else "gpt",
        "run": run,
        "step": step,
        "tasks": {
            "mathvision": {
                "primary": "accuracy",
                "metrics": {"accuracy": primary, "other": {"value": 1.0}},
            }
        },
        "comparisons": {"baseline": [entry], "previous": [], "first": []},
        "provenance": {"fingerprint": "abc123"},
    } | changes


@pytest.fixture
def report() -> Callable[..., dict]:
    return make_report


@pytest.fixture
def point() -> Callable[..., Point]:
    return lambda *args, **changes: point_of(make_report(*args, **changes), "/home/reports/page.html")


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the surroundings is pushed to, or with."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DISABLED", "WANDB_DIR", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
