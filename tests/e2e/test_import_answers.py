"""Logs of other harnesses from the shell: imported, evaluated, looked at; and bad ones, each one line."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.pipeline.importing import LM_EVAL_CHOICE, LOGS
from tests.pipeline.logs.make_logs import ROWS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def evals(tmp_path):
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for name in ("birds", "birds_again"):
        fields = {"task": name, "dataset_path": ".", "doc_to_id": "id", "doc_to_text": "{{ question }}",
                  "doc_to_target": "answer", "judge": "yes_no"}  # fmt: skip
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(fields))
    homes = {"EVAL_HOME": tmp_path / "home", "DAGSTER_HOME": tmp_path / "dagster", "EVAL_TASK_PATH": tmp_path}
    environment = {**os.environ, **{name: str(path) for name, path in homes.items()}, "PYTHONPATH": str(ROOT)}

    def run(*arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "eval_assets.cli", *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    return run


def test_the_folder_of_a_run_becomes_scores_in_two_commands(evals):
    said = evals("import-answers", str(LOGS / "lmms_eval"), "--name", "llava")
    assert (
        "20260101_120000_samples_birds.jsonl: samples of lmms-eval (doc_id, resps), answers of birds/model-1b" in said
    )
    assert "llava: 14 answers to 8 of 8 items of birds_again, 2 samples each (matched by row number)" in said
    assert "next: evals run --checkpoint llava --tasks birds,birds_again" in said
    reports = json.loads(evals("run", "--checkpoint", "llava", "--tasks", "birds,birds_again", "--json"))["reports"]
    found = [(r["task"], r["metrics"]["accuracy"]["value"], r["metrics"]["accuracy"]["n"]) for r in reports]
    assert found == [("birds", 6 / 8, 8), ("birds_again", pytest.approx(5 / 7), 7)]
    assert "birds/model-1b from 20260101_120000_samples_birds.jsonl" in evals("checkpoints", "show", "llava")


def test_what_cannot_be_imported_is_one_line_that_says_what_to_do(evals, tmp_path):
    (tmp_path / "m_birds.pkl").write_bytes(pickle.dumps([1]))
    older = [{**row, "index": row["id"], "prediction": "yes", "answer": "no"} for row in ROWS]
    (tmp_path / "older.jsonl").write_text("".join(json.dumps(row) + "\n" for row in older))
    for file, says in (
        ("m_birds.pkl", "is a pickle, which could run anything: never read"),
        ("older.jsonl", "4 of 8 answers differ: 'q0' (its target is 'no', ours 'yes')"),
        (str(LM_EVAL_CHOICE), "holds no texts but log-likelihoods"),
    ):
        error = evals("import-answers", file, "--task", "birds", "--name", "m", code=1)
        assert says in error
        (line,) = [line for line in error.splitlines() if line.startswith("evals: ")]
        assert "Traceback" not in error
        assert line.startswith("evals: ")
