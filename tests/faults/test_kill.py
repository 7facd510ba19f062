"""A run that is killed in its middle: what was answered is there, and only the rest is asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval_assets.pipeline.cell import Cell, plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint, register
from resources.models.checkpoint import Checkpoint
from tests.conftest import Reply

ROOT = Path(__file__).resolve().parents[2]
ITEMS, IN_FLIGHT = 200, 4
_RUN = """
import sys
from pathlib import Path
from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.registering import identify_checkpoint
from resources.store import Store
from task_defs import load_task
store = Store(sys.argv[1])
infer(plan_cell(store, identify_checkpoint(store, "m"), load_task(Path(sys.argv[2]))), store, run_id="r", log=print)
"""


@pytest.fixture
def cell(store, folder, endpoint) -> Cell:
    rows = [{"id": f"q{i}", "question": f"Question {i}?", "answer": "yes"} for i in range(ITEMS)]
    task = folder.rows(rows).task()
    ingest(task, store)
    register(store, Checkpoint("m", "openai", "gpt", endpoint.args(concurrency=IN_FLIGHT)))
    return plan_cell(store, identify_checkpoint(store, "m"), task)


def start(store, cell: Cell) -> subprocess.Popen:
    command = [sys.executable, "-c", _RUN, store.root, str(cell.task.path)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finished(store, cell: Cell) -> None:
    """The rest is asked, and every item has one row."""
    infer(cell, store, run_id="r", log=print)
    keys = [(item, sample) for item, sample, _, _ in list(cell.outputs(store).identities())]
    assert len(keys) == len(set(keys)) == ITEMS


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_at_most_what_was_under_way_is_asked_again(store, cell, endpoint, how):
    """The endpoint holds its 190th answer back; by then the others are on disk, and the run is killed."""
    endpoint.answer = lambda request, number: Reply(delay=0.005 if number < 190 else 30)
    process = start(store, cell)
    deadline = time.monotonic() + 60
    while cell.outputs(store).count() < 190 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, how)
    process.wait(120)
    assert process.returncode != 0
    assert cell.outputs(store).count() == 190
    endpoint.answer = lambda request, number: Reply()
    before = len(endpoint.seen)
    finished(store, cell)
    assert len(endpoint.seen) - before == ITEMS - 190
    assert before <= 190 + IN_FLIGHT


def test_killed_again_and_again_it_still_ends_whole(store, cell, endpoint):
    """At arbitrary moments, in the middle of commits as well."""
    endpoint.answer = lambda request, number: Reply(delay=0.01)
    for pause in (0.0, 0.13, 0.31):
        before = len(endpoint.seen)
        process = start(store, cell)
        while len(endpoint.seen) == before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(pause)
        process.kill()
        process.wait(120)
    kept = cell.outputs(store).count()
    before = len(endpoint.seen)
    finished(store, cell)
    assert len(endpoint.seen) - before == ITEMS - kept
