"""`evals` as a user runs it: a process, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Shell = Callable[..., str]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """`shell(*words, code=0)`: what `evals` prints, of one that fails what it says. Tasks lie in `tasks`."""
    environment = {
        **os.environ, "EVAL_TASK_PATH": str(tmp_path / "tasks"), "EVAL_HOME": str(tmp_path / "home"),
        "DAGSTER_HOME": str(tmp_path / "dagster"), "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "k", "COLUMNS": "200",
    }  # fmt: skip

    def run(*words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "eval_assets.cli", *words], cwd=tmp_path, env=environment, text=True,
            capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    return run
