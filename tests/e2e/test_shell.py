"""The shell as a process: what a user types, what comes out, and what an error says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


class Shell:
    """`evals` in a folder of its own, with a task of 60 items and an endpoint to ask."""

    def __init__(self, path: Path) -> None:
        self.path = path
        tasks = path / "tasks"
        tasks.mkdir()
        rows = [{"id": str(i), "question": f"Colour {i}?", "answer": "yes", "photo": i // 3} for i in range(60)]
        (tasks / "test.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        fields = {
            "task": "colours", "dataset_path": ".", "data_files": {"test": "test.jsonl"}, "doc_to_id": "id",
            "doc_to_text": "{{ question }}", "doc_to_target": "answer", "cluster_key": "photo", "judge": "exact",
            "generation_kwargs": {"max_tokens": 8},
        }  # fmt: skip
        (tasks / "colours.yaml").write_text(yaml.safe_dump(fields))
        self.environment = {
            **os.environ, "EVAL_TASK_PATH": str(tasks), "EVAL_HOME": str(path / "home"),
            "DAGSTER_HOME": str(path / "dagster"), "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "sk-very-secret",
        }  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "eval_assets.cli", *words]
        return subprocess.Popen(
            command, cwd=self.path, env=self.environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def __call__(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, err
        assert "sk-very-secret" not in out + err
        return out if code == 0 else err

    def json(self, *words: str):
        return json.loads(self(*words, "--json"))


@pytest.fixture
def evals(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def ask(endpoint, *more: str) -> list[str]:
    args = f"model=m,base_url={endpoint.url},max_retries=0"
    return ["run", "--checkpoint", "api", "--tasks", "colours", "--model", "openai", "--model-args", args, *more]


def test_from_the_first_run_to_a_comparison(evals, endpoint):
    table = evals(*ask(endpoint))
    assert "colours" in table
    assert "100.0" in table
    assert len(endpoint.seen) == 60
    report = evals.json("report", "api", "colours")
    assert {"checkpoint", "task", "metrics", "by"} <= set(report)
    assert {"value", "se", "ci_low", "ci_high", "n", "n_clusters", "coverage"} <= set(report["metrics"]["accuracy"])
    assert report["metrics"]["accuracy"]["value"] == 1.0
    # Another model, worse; then the two item by item.
    (evals.path / "log.jsonl").write_text(
        "".join(json.dumps({"qid": str(i), "said": {"text": "yes" if i % 2 else "no"}}) + "\n" for i in range(60))
    )
    evals(
        "import-answers", "log.jsonl", "--task", "colours", "--name", "old", "--id-field", "qid",
        "--response-field", "said.text",
    )  # fmt: skip
    evals("run", "--checkpoint", "old", "--tasks", "colours")
    (entry,) = evals.json("compare", "api", "old", "--tasks", "colours")
    assert {"task", "metric", "mean_diff", "se", "ci_low", "ci_high", "p_value", "n", "n_clusters"} <= set(entry)
    assert entry["mean_diff"] == 0.5
    assert entry["n_clusters"] == 20
    assert entry["p_value"] < 0.001
    wrong = evals.json("items", "old", "colours", "--wrong")
    assert len(wrong) == 30
    assert wrong[0]["text"] == "no"
    assert wrong[0]["target"] == "yes"
    assert {row["stage"] for row in evals.json("plan")} == {"complete"}
    assert len(evals.json("leaderboard")) == 2


def test_a_second_run_asks_nothing_and_a_variant_only_what_is_new(evals, endpoint):
    evals(*ask(endpoint, "--limit", "10"))
    assert len(endpoint.seen) == 10
    evals(*ask(endpoint))
    assert len(endpoint.seen) == 60
    evals(*ask(endpoint))
    assert len(endpoint.seen) == 60
    evals(*ask(endpoint, "--gen", "max_tokens=4", "--limit", "5"))
    assert len(endpoint.seen) == 65
    assert len(evals.json("leaderboard")) == 1


def test_judge_only_asks_no_model(evals, endpoint):
    evals(*ask(endpoint))
    text = (evals.path / "tasks" / "colours.yaml").read_text()
    (evals.path / "tasks" / "colours.yaml").write_text(text.replace("judge: exact", "judge: contains"))
    (row,) = evals.json("plan")
    assert (row["stage"], row["reason"]) == ("judge_scores", "labels or judge changed")
    endpoint.seen.clear()
    evals("run", "--checkpoint", "api", "--tasks", "colours", "--judge-only")
    assert endpoint.seen == []
    assert evals.json("plan")[0]["stage"] == "complete"


def test_dagsters_own_command_materializes_a_cell(evals, endpoint):
    evals(*ask(endpoint, "--limit", "1"))  # registers both keys
    command = [
        sys.executable, "-m", "dagster", "asset", "materialize", "-m", "eval_assets.definitions",
        "--select", "model_outputs,judge_scores,statistical_report,comparison", "--partition", "api|colours",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=evals.environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(endpoint.seen) == 60
    assert evals.json("report", "api", "colours")["metrics"]["accuracy"]["n"] == 60


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--checkpoint", "api", "--tasks", "colour"], "did you mean colours?"),
        (["run", "--checkpoint", "nobody", "--tasks", "colours"], "no checkpoint 'nobody'"),
        (["run", "--checkpoint", "./nowhere", "--tasks", "colours"], "no directory"),
        (["checkpoints", "add", "a|b", "--model", "openai", "--model-args", "model=m"], "contains '|'"),
        (["checkpoints", "add", "x", "--model", "transformer"], "did you mean 'transformers'?"),
        (["checkpoints", "add", "x", "--model", "openai", "--model-args", "model=m,api_key=sk-1"], "api_key_env"),
        (["report", "api", "colours"], "no scores yet"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(evals, words, said):
    error = evals(*words, code=1)
    assert said in error
    assert "Traceback" not in error


def test_a_broken_task_names_file_line_and_field(evals):
    (evals.path / "tasks" / "colours.yaml").write_text("task: colours\ndataset_path: .\nrepeats: many\n")
    error = evals("run", "--checkpoint", "api", "--tasks", "colours", code=1)
    assert "colours.yaml:3" in error
    assert "repeats" in error


def test_a_home_that_cannot_be_written(evals):
    (evals.path / "home").write_text("a file stands where the folder should be")
    error = evals("ingest", "colours", code=1)
    assert "EVAL_HOME" in error or "not writable" in error


def test_a_directory_without_a_model_says_what_is_missing(evals):
    folder = evals.path / "exp" / "step-5"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("nothing here")
    assert "config.json" in evals("run", "--checkpoint", str(folder), "--tasks", "colours", code=1)


@pytest.mark.parametrize("share", [0.3, 0.99])
def test_kill_9_repeats_only_what_was_in_flight(evals, endpoint, share):
    from tests.conftest import Reply

    evals("ingest", "colours")
    stop = int(60 * share)
    endpoint.answer = lambda request, number: Reply(delay=0.0 if number < stop else 30.0)
    args = f"model=m,base_url={endpoint.url},max_retries=0,concurrency=4"
    words = ["run", "--checkpoint", "api", "--tasks", "colours", "--model", "openai", "--model-args", args]
    process = evals.start(*words)
    deadline = time.monotonic() + 60
    while len(endpoint.seen) < min(60, stop + 4) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.2)  # what was answered is durable within a second
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    first = len(endpoint.seen)
    endpoint.answer = lambda request, number: Reply()
    evals(*words)
    again = len(endpoint.seen) - first
    assert again <= 60 - stop
    report = evals.json("report", "api", "colours")
    assert report["metrics"]["accuracy"]["n"] == 60
    assert len(evals.json("items", "api", "colours", "--limit", "100")) == 60
