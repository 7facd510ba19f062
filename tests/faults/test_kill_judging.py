"""A judging that is killed in its middle: what the judge said is there, and only the rest is asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.judge_models import judge_model
from eval_assets.pipeline.registering import identify_checkpoint, register
from eval_assets.pipeline.scoring import judge_cell
from resources.models.checkpoint import Checkpoint
from tests.conftest import Reply

ROOT = Path(__file__).resolve().parents[2]
ITEMS, IN_FLIGHT, ASKED = 200, 4, 190
_RUN = """
import sys
from pathlib import Path
from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.registering import identify_checkpoint
from eval_assets.pipeline.scoring import judge_cell
from resources.store import Store
from task_defs import load_task
store = Store(sys.argv[1])
cell = plan_cell(store, identify_checkpoint(store, "m"), load_task(Path(sys.argv[2])))
judge_cell(cell, store, run_id="r", log=print)
"""


def test_at_most_what_was_under_way_is_asked_of_the_judge_again(
    store, folder, endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    judge = {"model": "openai", "source": "judge", **endpoint.args(concurrency=IN_FLIGHT)}
    (tmp_path / "evals.yaml").write_text(yaml.safe_dump({"judge_models": {"default": judge}}))
    monkeypatch.setenv("EVAL_CONFIG", str(tmp_path / "evals.yaml"))
    rows = [{"id": f"q{i}", "question": f"Question {i}?", "answer": "yes"} for i in range(ITEMS)]
    task = folder.rows(rows).task(judge="llm")
    ingest(task, store)
    register(store, Checkpoint("m", "openai", "gpt", endpoint.args()))
    cell = plan_cell(store, identify_checkpoint(store, "m"), task)
    endpoint.answer = lambda request, number: Reply(f"yes {number}")
    infer(cell, store, run_id="r", log=print)
    before = len(endpoint.seen)
    said = '{"score": 1}'
    endpoint.answer = lambda request, number: Reply(said, delay=0.005 if number - before < ASKED else 30)
    table = judge_model(store, "default", task.task).answers(store)
    command = [sys.executable, "-c", _RUN, store.root, str(task.path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while table.count() < ASKED and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    assert table.count() == ASKED
    assert len(endpoint.seen) - before <= ASKED + IN_FLIGHT
    endpoint.answer = lambda request, number: Reply(said)
    again = len(endpoint.seen)
    done = judge_cell(cell, store, run_id="r", log=print)
    assert (done.rows, done.unscored) == (ITEMS, 0)
    assert len(endpoint.seen) - again == ITEMS - ASKED
