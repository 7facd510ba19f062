"""Cells through an engine: killed in their middle, at the limits of the engine, on several replicas."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import from_directory, identify_checkpoint, register
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell
from resources.engines.lease import stop_host
from resources.models.base import ModelUnusable
from tests.conftest import TaskFolder
from tests.engines.conftest import STAND_IN, until

ROOT = Path(__file__).resolve().parents[2]
ITEMS = 60
_RUN = """
import sys
from pathlib import Path
from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.registering import identify_checkpoint
from resources.store import Store
from task_defs import load_task
store = Store(sys.argv[1])
cell = plan_cell(store, identify_checkpoint(store, sys.argv[3]), load_task(Path(sys.argv[2])))
infer(cell, store, run_id="r", log=print)
"""


class Project:
    """A models.yaml with the stand-in as an engine, a checkpoint folder, and a task."""

    def __init__(self, path: Path, store, task, monkeypatch) -> None:
        self.path, self.store, self.task = path, store, task
        self.models = path / "models.yaml"
        monkeypatch.setenv("EVAL_MODELS", str(self.models))
        self.describe()

    def describe(self, *flags: str, slots: list | None = None, **options) -> None:
        engine = {"kind": "vllm", "command": [sys.executable, str(STAND_IN), "serve"], "version": "0", **options}
        engine |= {"tuning_args": list(flags), "idle_minutes": 0.5, "start_timeout": 60, "concurrency": 4}
        self.models.write_text(yaml.safe_dump({"engines": {"stand": engine}, "slots": slots or []}))

    def pausing(self) -> Callable[[], None]:
        """From now on an engine gives twenty answers and no more until the function is called."""
        file = self.path / "go-on"
        self.describe("--pause-after", "20", "--until", str(file))
        return file.touch

    def checkpoint(self, name: str) -> str:
        """A folder that looks like weights."""
        import numpy as np
        from safetensors.numpy import save_file

        folder = self.path / "run" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
        (folder / "tokenizer.json").write_text("{}")
        save_file({"w": np.full(4, len(name) + int(name[-1]), np.float32)}, folder / "model.safetensors")
        key = register(self.store, from_directory(folder, model="stand")).key
        identify_checkpoint(self.store, key)
        return key

    def cell(self, key: str):
        return plan_cell(self.store, identify_checkpoint(self.store, key), self.task)

    def start(self, key: str) -> subprocess.Popen:
        command = [sys.executable, "-c", _RUN, self.store.root, str(self.task.path), key]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def answers(self, key: str) -> list[str]:
        return sorted(row["text"] for row in self.cell(key).outputs(self.store).answers())


@pytest.fixture
def project(engines, tmp_path, store, folder, monkeypatch) -> Project:
    rows = [{"id": f"q{i}", "question": f"Question {i}?", "answer": "yes"} for i in range(ITEMS)]
    task = folder.rows(rows).task()
    ingest(task, store)
    return Project(tmp_path, store, task, monkeypatch)


def expected(name: str) -> list[str]:
    return sorted(f"{name}: Question {i}?" for i in range(ITEMS))


def test_a_cell_is_answered_and_says_what_the_engine_did(project, engines):
    key = project.checkpoint("step-1")
    done = infer(project.cell(key), project.store, run_id="r", log=print)
    assert done.asked == ITEMS
    assert done.observed["starts"] == 1
    assert done.observed["prompt_tokens_per_s"] > 0
    assert "stand_in.py serve" in done.observed["command"]
    again = infer(project.cell(key), project.store, run_id="r", log=print)
    assert (again.asked, again.observed) == (0, {})


def test_episodes_say_what_the_engine_did_too(project, engines):
    """On the materialization, and in the report of the cell."""
    episode = {"player": "guess", "max_steps": 3, "params": {"low": 1, "high": 9}}
    judge = {"name": "outcome", "values": ["guesses"]}
    project.task = (
        TaskFolder(project.path / "games", "games")
        .rows([{"id": f"g{i}", "question": "?"} for i in range(4)])
        .task(episode=episode, judge=judge, doc_to_target=None)
    )
    ingest(project.task, project.store)
    project.describe("--answer-seconds", "0.3")
    cell = project.cell(project.checkpoint("step-1"))
    done = infer(cell, project.store, run_id="r", log=print)
    assert done.asked == 12, "a stand-in's answer is no number: every step is asked"
    assert done.observed["starts"] == 1
    shares = {row["kv_use"] for row in cell.outputs(project.store).answers() if row["step"]}
    assert max(share for share in shares if share) == 4 / 64, "four episodes at a time hold a 64th each"
    judge_cell(cell, project.store, run_id="r", log=print)
    report = report_cell(cell, project.store, run_id="r", log=print)
    assert report["engine"] == done.observed
    assert report["engine"]["prompt_tokens_per_s"] > 0


def test_cells_in_several_processes_share_an_engine(project, engines, tmp_path):
    key = project.checkpoint("step-1")
    runs = [project.start(key)]  # the same cell twice waits for itself: another task beside it
    other = TaskFolder(tmp_path / "other", "other").rows([{"id": "x", "question": "Other?", "answer": "yes"}]).task()
    ingest(other, project.store)
    first, project.task = project.task, other
    runs.append(project.start(key))
    project.task = first
    assert [run.wait(150) for run in runs] == [0, 0]
    assert engines.starts() == ["run.1"]


@pytest.mark.parametrize("victim", ["stand_in", "resources.engines.keeper", "resources.engines.host"])
def test_a_cell_goes_on_when_its_engine_or_host_is_killed(project, engines, victim):
    go_on = project.pausing()
    key = project.checkpoint("step-1")
    done = []
    thread = threading.Thread(
        target=lambda: done.append(infer(project.cell(key), project.store, run_id="r", log=print))
    )
    thread.start()
    until(lambda: project.cell(key).outputs(project.store).count() >= 10)
    engines.kill(victim)
    go_on()
    thread.join(150)
    assert done, "the cell did not end"
    assert project.answers(key) == expected("step-1")
    assert engines.starts() == ["run.1", "run.1"]
    until(lambda: len(engines.processes("stand_in")) == 2)  # the engine and its worker, and none of the first


def test_a_killed_run_leaves_the_engine_to_the_next(project, engines):
    go_on = project.pausing()
    key = project.checkpoint("step-1")
    run = project.start(key)
    until(lambda: project.cell(key).outputs(project.store).count() >= 10)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    go_on()
    before = project.cell(key).outputs(project.store).count()
    done = infer(project.cell(key), project.store, run_id="r", log=print)
    assert done.asked <= ITEMS - before
    assert project.answers(key) == expected("step-1")
    assert engines.starts() == ["run.1"]


def test_a_terminated_run_gives_its_lease_back(project, engines):
    project.pausing()
    key = project.checkpoint("step-1")
    run = project.start(key)
    until(lambda: project.cell(key).outputs(project.store).count() >= 4)
    run.send_signal(signal.SIGINT)
    run.wait(60)
    until(lambda: engines.status()["tenants"] == [])


def test_an_engine_that_dies_again_and_again_ends_the_cell_and_keeps_the_answers(project, engines):
    project.describe("--die-after", "20")
    key = project.checkpoint("step-1")
    with pytest.raises(ModelUnusable, match="started anew once already"):
        infer(project.cell(key), project.store, run_id="r", log=print)
    assert 20 <= project.cell(key).outputs(project.store).count() <= 40


def test_questions_on_one_picture_go_to_one_replica(project, engines, tmp_path):
    project.describe(slots=[[0], [1]], replicas=2)
    rows = [{"id": f"q{i}", "question": f"{i}?", "answer": "yes", "image": f"p{i // 5}.png"} for i in range(20)]
    pictures = TaskFolder(tmp_path / "pictures", "pictures").rows(rows)
    for i in range(4):
        pictures.picture(f"p{i}.png", i)
    project.task = pictures.task(doc_to_visual="image")
    ingest(project.task, project.store)
    key = project.checkpoint("step-1")
    done = infer(project.cell(key), project.store, run_id="r", log=print)
    assert done.observed["replicas"] == 2
    asked = defaultdict(set)
    for slot in ("gpu-0", "gpu-1"):
        for line in (engines.root / slot / "engine-1.log").read_text().splitlines():
            if line.startswith("asked "):
                asked[line.split()[1]].add(slot)
    assert len(asked) == 4
    assert all(len(slots) == 1 for slots in asked.values())


def test_two_machines_over_one_store_have_engines_of_their_own(project, engines, monkeypatch):
    """A machine is its own folder of slots here; both answer the same cell's questions, and rows are not doubled."""
    key, other = project.checkpoint("step-1"), project.checkpoint("step-2")
    run = project.start(key)
    until(engines.starts)  # else the cell may be complete before this machine looks at it
    elsewhere = engines.root.parent / "elsewhere"
    monkeypatch.setenv("EVAL_ENGINES", str(elsewhere))
    runs = [run, project.start(key), project.start(other)]
    assert [one.wait(150) for one in runs] == [0, 0, 0]
    for name, at in (("step-1", key), ("step-2", other)):
        assert project.answers(at) == expected(name)
    assert engines.starts() == ["run.1"]
    assert (elsewhere / "cpu" / "events.jsonl").is_file()
    stop_host(elsewhere / "cpu")


def test_replicas_without_slots_for_them_are_refused(project):
    project.describe(replicas=2)
    with pytest.raises(ModelUnusable, match="1 engine slots"):
        infer(project.cell(project.checkpoint("step-1")), project.store, run_id="r", log=print)


def test_an_engine_that_is_not_installed_is_said_before_anything_starts(project, engines):
    project.models.write_text(yaml.safe_dump({"engines": {"stand": {"kind": "vllm", "python": "/nowhere/python"}}}))
    key = project.checkpoint("step-1")
    with pytest.raises(ModelUnusable, match="make engines"):
        _ = project.cell(key).key
    project.models.write_text(yaml.safe_dump({"engines": {"stand": {"kind": "sglang", "python": sys.executable}}}))
    with pytest.raises(ModelUnusable, match="has no sglang installed"):
        _ = project.cell(key).key
    for program in ("/bin/true", "/bin/ls"):  # ends well and says nothing; complains of its arguments
        project.models.write_text(yaml.safe_dump({"engines": {"stand": {"kind": "vllm", "python": program}}}))
        with pytest.raises(ModelUnusable, match=f"{program} is no Python that runs"):
            _ = project.cell(key).key
    assert not engines.root.exists()


def test_settings_that_change_answers_make_another_key_and_the_others_do_not(project):
    key = project.checkpoint("step-1")
    first = project.cell(key).key
    project.describe("--max-num-seqs", "4", memory_fraction=0.5, env={"A": "b"})
    assert project.cell(key).key == first
    keys = {first}
    for option in ({"dtype": "bfloat16"}, {"max_model_len": 100}, {"quantization": "fp8"}, {"version": "1"},
                   {"mm_processor_kwargs": {"max_pixels": 100}}, {"limit_mm_per_prompt": {"image": 2}}):  # fmt: skip
        project.describe(**option)
        keys.add(project.cell(key).key)
    assert len(keys) == 7


def qualify(project, key: str, passed: bool) -> None:
    """As `evals engines qualify-swap` keeps it."""
    from resources.engines.swap import keep_qualification, swap_key
    from resources.models.configured import load_models

    folder = Path(identify_checkpoint(project.store, key).source)
    keep_qualification(swap_key(load_models().engine("stand", {}), "0", folder), {"passed": passed})


@pytest.mark.parametrize(
    ("qualified", "flags", "starts"),
    [(True, (), ["run.1"]), (False, (), ["run.1", "run.2"]), (None, (), ["run.1", "run.2"]),
     (True, ("--refuse-swap",), ["run.1", "run.2"])],
)  # fmt: skip
def test_weights_are_swapped_only_where_that_was_shown_to_be_right(project, engines, qualified, flags, starts):
    project.describe(*flags)
    keys = [project.checkpoint(name) for name in ("step-1", "step-2")]
    if qualified is not None:
        qualify(project, keys[0], qualified)
    for key, name in zip(keys, ("step-1", "step-2"), strict=True):
        infer(project.cell(key), project.store, run_id="r", log=print)
        assert project.answers(key) == expected(name)  # and not of stale caches
    assert engines.starts() == starts


def test_another_architecture_is_another_qualification(project, engines):
    first, second = project.checkpoint("step-1"), project.checkpoint("step-2")
    config = Path(identify_checkpoint(project.store, second).source) / "config.json"
    config.write_text(json.dumps({"model_type": "other"}))
    qualify(project, first, True)
    for key in (first, second):
        infer(project.cell(key), project.store, run_id="r", log=print)
    assert engines.starts() == ["run.1", "run.2"]
