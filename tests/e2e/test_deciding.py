"""Comparing, planning and gating as a user types it, on recorded answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.conftest import TaskFolder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def evals(tmp_path: Path, shell):
    """`evals` with 60 questions in 20 clusters, answered by `old` (20 right) and `new` (50 right)."""
    folder = TaskFolder(tmp_path / "tasks", "birds")
    rows = [{"id": f"q{i}", "question": f"Question {i}?", "answer": "yes", "photo": i // 3} for i in range(60)]
    folder.rows(rows).task(cluster_key="photo")
    for name, right in (("old", 20), ("new", 50)):
        lines = [json.dumps({"id": f"q{i}", "text": "yes" if i < right else "no"}) + "\n" for i in range(60)]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
        shell("import-answers", f"{name}.jsonl", "--task", "birds", "--name", name, "--id-field", "id",
            "--response-field", "text")  # fmt: skip
        shell("run", "--checkpoint", name, "--tasks", "birds")
    return shell


def test_what_people_decide_with(evals, tmp_path):
    said = evals("compare", "new", "old", "--tasks", "birds", "--margin", "0.1")
    assert "new on birds, accuracy: +50.0 points vs old, 95 % CI " in said
    assert "60 items in 20 clusters" in said
    assert "margin 10.0 points: not worse p < 0.001, equivalent p = " in said
    (entry,) = json.loads(evals("compare", "old", "new", "--margin", "0.1", "--json"))
    assert entry["p_noninferior"] > 0.99
    assert "without a sign" in evals("compare", "new", "old", "--margin=-0.1", code=2)

    plan = json.loads(evals("power", "--task", "birds", "--effect", "0.05", "--json"))
    assert (plan["n"], plan["enough"], plan["source"]) == (60, False, "new against old, accuracy")
    assert plan["needed"] > 60
    assert plan["planning"]["cluster_size"] == 3
    assert f"it needs {plan['needed']:,} items" in evals("power", "--task", "birds", "--effect", "0.05")
    assert "above 0" in evals("power", "--task", "birds", "--effect", "0", code=2)
    assert "did you mean birds" in evals("power", "--task", "bird", "--effect", "0.1", code=1)

    # The gate that is set now holds for what was complete before.
    (tmp_path / "evals.yaml").write_text(yaml.safe_dump({"baseline": {"birds": "new"}, "gate": {"margin": 0.05}}))
    error = evals("run", "--checkpoint", "old", "--tasks", "birds", code=1)
    assert "birds: no_worse_than_baseline: difference to new is -50.0 points" in error
    assert "worse by more than 5.0 points" in evals("run", "--checkpoint", "old", "--tasks", "birds", code=1)
    assert "baseline: old on birds, accuracy: −50.0 points vs new" in evals("report", "old", "birds")
    (tmp_path / "evals.yaml").write_text(yaml.safe_dump({"gates": {"nightly": {"margin": 0.05}}}))
    assert "gates: no suite or task 'nightly'" in evals("run", "--checkpoint", "old", "--tasks", "birds", code=1)
