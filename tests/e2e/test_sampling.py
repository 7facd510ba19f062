"""Samples, blind runs and diagnostics as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Reply, TaskFolder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def evals(tmp_path: Path, shell):
    """`evals` with a task of 24 questions on 12 pictures."""
    folder = TaskFolder(tmp_path / "tasks", "birds")
    rows = [
        {"id": f"q{i}", "question": f"Question {i}?", "answer": "yes", "image": folder.picture(f"{i // 2}.png", i // 2)}
        for i in range(24)
    ]
    folder.rows(rows).task(doc_to_visual="image", judge="yes_no", generation_kwargs={"max_tokens": 8, "seed": 0})
    return shell


def test_from_samples_and_a_blind_run_to_what_a_score_means(evals, endpoint):
    def answer(request, number):
        steady = request.pictures and int(request.text.split()[1].rstrip("?")) % 4
        return Reply(text="yes" if steady or request.body["seed"] % 2 else "no")

    endpoint.answer = answer
    ask = ["run", "--checkpoint", "api", "--tasks", "birds", "--model", "openai"]
    ask += ["--model-args", f"model=m,base_url={endpoint.url},max_retries=0"]
    table = evals(*ask)
    assert "chance" in table
    assert "50.0" in table
    assert "--repeats 5 --gen temperature=0.7" in evals("stability", "api", "birds", code=1)
    assert "evals run --checkpoint api --tasks birds --blind" in evals("blind", "api", "birds", code=1)

    evals(*ask, "--repeats", "4", "--gen", "temperature=0.7")
    found = json.loads(evals("stability", "api", "birds", "--json"))
    assert (found["k"], found["temperature"]) == (4, 0.7)
    assert found["variant"] == "temperature=0.7,repeats=4"
    assert found["ea"]["value"] == (18 + 6 * 0.5) / 24
    assert found["cr"]["value"] == 18 / 24
    assert "consistency rate" in evals("stability", "api", "birds")

    before = len(endpoint.seen)
    assert "evals blind api birds" in evals(*ask, "--blind")
    assert [seen.pictures for seen in endpoint.seen[before:]] == [[]] * 24
    said = evals("blind", "api", "birds")
    assert "accuracy 75.0 % with the media, 0.0 % without (chance 50.0 %): +75.0 points of the score need them" in said
    assert "24 items in 12 clusters" in said
    [row] = json.loads(evals("leaderboard", "--json"))
    assert row["value"] == 0.75, "neither the samples nor the blind run are on the leaderboard"

    assert "diagnostics.html" in evals("diagnose", "birds")
    data = json.loads(evals("diagnose", "birds", "--json"))
    assert [(m["checkpoint"], m["k"]) for m in data["models"]] == [("api", 4)]
