"""A judged task from the shell: Dagster runs, a judge that is down and comes back, people's verdicts, the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Endpoint, Reply, Seen
from tests.e2e.test_shell import Shell


@pytest.fixture
def evals(tmp_path: Path, endpoint: Endpoint) -> Shell:
    shell = Shell(tmp_path)
    path = tmp_path / "tasks" / "colours.yaml"
    task = yaml.safe_load(path.read_text())
    judge: dict[str, Any] = {"name": "llm", "grades": {"correct": 1, "incorrect": 0}}
    path.write_text(yaml.safe_dump({**task, "judge": judge}))
    models = {"default": {"model": "openai", "source": "judge", **endpoint.args(max_retries=0)}}
    (tmp_path / "evals.yaml").write_text(yaml.safe_dump({"judge_models": models}))
    return shell


def test_judged_calibrated_and_shown(evals: Shell, endpoint: Endpoint, tmp_path: Path) -> None:
    down = True

    def answer(request: Seen, number: int) -> Reply:
        if request.body["model"] != "judge":
            return Reply(f"yes to {request.text}")
        i = int(request.text.partition("Colour ")[2].partition("?")[0])
        if down and i >= 30:
            return Reply("no", status=503)
        return Reply(json.dumps({"reason": "so", "grade": "correct" if i % 3 else "incorrect"}))

    endpoint.answer = answer
    args = ("--model", "openai", "--model-args", f"base_url={endpoint.url},max_retries=0")
    told = evals("run", "--checkpoint", "gpt", "--tasks", "colours", *args, code=1)
    assert "30 of 60 samples are unscored" in told
    assert [row["reason"] for row in evals.json("plan")] == ["judge answers are missing"]
    down, before = False, len(endpoint.seen)
    report = evals.json("run", "--checkpoint", "gpt", "--tasks", "colours")["reports"][0]
    assert {seen.body["model"] for seen in endpoint.seen[before:]} == {"judge"}
    assert len(endpoint.seen) - before == 30
    assert report["metrics"]["score"]["value"] == pytest.approx(2 / 3)

    people = tmp_path / "people.csv"
    people.write_text("item_id,label\n" + "".join(f"{i},{'correct' if i % 3 else 'incorrect'}\n" for i in range(40)))
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("item_id,label\nnobody,correct\n")
    assert "1 ids of" in evals("calibrate", "gpt", "colours", "--labels", str(wrong), code=1)
    said = evals("calibrate", "gpt", "colours", "--labels", str(people))
    assert "40 human verdicts on 60 items" in said
    assert "agrees with people beyond chance" in said
    assert [row["reason"] for row in evals.json("plan")] == ["scores, metrics or statistics changed"]
    before = len(endpoint.seen)
    evals("run", "--checkpoint", "gpt", "--tasks", "colours")
    assert len(endpoint.seen) == before
    block = evals.json("report", "gpt", "colours")["judging"]
    assert block["calibration"]["agreement"]["kappa"]["value"] == 1
    page = (tmp_path / "home" / "reports" / "gpt.html").read_text()
    assert "<h3>The judge</h3>" in page
    assert "Cohen" in page
    shown = evals.json("judgements", "gpt", "colours", "--item", "3")
    assert shown[0]["text"] == '{"reason": "so", "grade": "incorrect"}'
    assert "yes to Colour 3?" in shown[0]["messages"][0]["text"]


def test_without_a_judge_model_nothing_is_asked(evals: Shell, endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "evals.yaml").unlink()
    args = ("--model", "openai", "--model-args", f"base_url={endpoint.url}")
    told = evals("run", "--checkpoint", "gpt", "--tasks", "colours", *args, code=1)
    assert "the judge model 'default' is not configured" in told
    assert "judge_models:" in told
    assert endpoint.seen == []
