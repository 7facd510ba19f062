"""What the tests of lmms-eval's tasks need: the package in an interpreter, and a folder of small data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from task_defs import TaskError
from task_defs.lmms_eval import client
from task_defs.lmms_eval.install import Installed, installed

ROOT = Path(__file__).resolve().parents[2]
_GIVEN = os.environ.get("EVAL_LMMS_PYTHON") or str(ROOT / ".venv-lmms/bin/python")


@pytest.fixture
def lmms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Installed]:
    """The installed lmms-eval; the tests that need it are skipped where there is none."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if not Path(_GIVEN).is_file():
        pytest.skip("lmms-eval is not installed: `make lmms`, or EVAL_LMMS_PYTHON")
    monkeypatch.setenv("EVAL_LMMS_PYTHON", _GIVEN)
    try:
        yield installed()
    except TaskError as error:
        pytest.skip(str(error))
    finally:
        client.close_all()


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("EVAL_DATA", str(folder))
    return folder
