"""A job on an engine, with a daemon of Dagster's own: followed while it runs, cancelled in its midst."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint
from task_defs import load_task
from tests.engines.conftest import STAND_IN, engines, until  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
PAUSE, ITEMS = 20, 40


@contextlib.contextmanager
def daemon(log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "dagster._daemon", "run", "-m", "eval_assets.definitions"]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def folder(served, engines, tmp_path, monkeypatch) -> Path:  # noqa: F811
    """A checkpoint for an engine that gives twenty answers and no more."""
    flags = ["--pause-after", str(PAUSE), "--until", str(tmp_path / "never")]
    engine = {"kind": "vllm", "command": [sys.executable, str(STAND_IN), "serve"], "version": "0", "tuning_args": flags,
              "idle_minutes": 5, "start_timeout": 60, "concurrency": 4}  # fmt: skip
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"engines": {"stand": engine}}))
    monkeypatch.setenv("EVAL_MODELS", str(tmp_path / "models.yaml"))
    made = tmp_path / "runs" / "exp" / "step-5"
    made.mkdir(parents=True)
    (made / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (made / "tokenizer.json").write_text("{}")
    save_file({"w": np.zeros(4, np.float32)}, made / "model.safetensors")
    served.project.configure(service={"roots": [str(tmp_path / "runs")]})
    served.restart()
    ingest(load_task("colours"), served.project.store)
    return made


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_a_running_job_is_followed_and_cancelled_and_gives_its_engine_back(served, engines, folder, tmp_path):  # noqa: F811
    client, seen = served.client(), []
    job = client.evaluate_checkpoint(folder, "colours", model="stand")
    identify_checkpoint(served.project.store, job["checkpoint"])  # else a run of its own, before the one looked at
    with daemon(tmp_path / "daemon.log"):
        follower = threading.Thread(target=follow, args=(served, job["job_id"], seen), daemon=True)
        follower.start()

        def cell() -> dict:
            return client.job(job["job_id"])["cells"][0]

        until(lambda: cell()["state"] == "running" and (cell()["done"] or 0) >= PAUSE - 4, 240)
        running = cell()
        assert running["total"] == ITEMS
        assert running["rate"] is None or running["rate"] >= 0
        assert [t["checkpoint"] for t in engines.status()["tenants"]] == ["exp.5"]
        until(lambda: any(moves(one["cells"][0]) for one in seen), 60)
        assert client.cancel(job["job_id"])["state"] == "cancelled"
        until(lambda: engines.status()["tenants"] == [], 60)
        run = served.project.instance.get_run_by_id(running["run_id"])
        until(lambda: served.project.instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.CANCELED, 60)
        follower.join(20)
    assert seen[-1]["state"] == "cancelled"
    assert [c["state"] for c in client.job(job["job_id"])["cells"]] == ["cancelled"]


def moves(cell: dict) -> bool:
    """Whether it says how far it is, how fast it goes, and how long the rest takes."""
    return bool(cell["state"] == "running" and cell["done"] and cell["rate"] and cell["eta_seconds"])


def follow(served, job_id: str, seen: list[dict]) -> None:
    for job in served.client().events(job_id):
        seen.append(job)
