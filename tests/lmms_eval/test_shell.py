"""Three of lmms-eval's tasks through a real model, from the shell: ingest, outputs, scores, report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.conftest import digits_checkpoint, train_digits  # noqa: F401  # fixtures
from tests.lmms_eval import local_data

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_tasks_through_a_real_model(lmms, data, tmp_path, digits_checkpoint):  # noqa: F811
    local_data.gsm8k(local_data.mme(local_data.mmmu(data)), n=4)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "EVAL_HOME": str(tmp_path / "home"),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }

    def evals(*words: str) -> str:
        command = [sys.executable, "-m", "eval_assets.cli", *words]
        done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    tasks = "lmms_eval:mmmu_val,lmms_eval:mme,lmms_eval:gsm8k"
    given = evals("run", "--checkpoint", str(digits_checkpoint), "--tasks", tasks, "--gen", "max_tokens=4", "--json")
    reports = {r["task"]: r for r in json.loads(given)["reports"]}
    assert list(reports) == tasks.split(",")
    assert all(r["coverage"] == 1.0 for r in reports.values())
    assert reports["lmms_eval:mmmu_val"]["metrics"]["mmmu_acc"]["aggregation"] == "the task's own function"
    mme = reports["lmms_eval:mme"]["metrics"]
    assert [m["n"] for m in mme.values()] == [16, 8]
    assert all(m["own_unit"] and m["value"] is not None for m in mme.values())
    assert set(reports["lmms_eval:gsm8k"]["metrics"]) == {"exact_match,strict-match", "exact_match,flexible-extract"}
    assert "lmms_eval:mme" in evals("tasks")
    missing = subprocess.run(
        [sys.executable, "-m", "eval_assets.cli", "run", "--checkpoint", "x", "--tasks", "lmms_eval:mmmu_vall"],
        env=environment, text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert missing.returncode == 1
    assert "did you mean mmmu_val" in missing.stderr
    assert "Traceback" not in missing.stderr
