"""Streams as a user types them: a baseline plays one, and the sweep of its context ends in a page."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import dagster as dg
import pytest

from tests.conftest import TaskFolder
from tests.videos import video

ROOT = Path(__file__).resolve().parents[2]
JUDGE = {"name": "outcome", "shares": {"accuracy": ["right", "asked"]}, "ratios": {"latency": ["latency", "detected"]}}


@pytest.fixture
def evals(tmp_path: Path, shell):
    """`evals` with a task of four streams of 6 s, each with an event at 2.5 s and a question about the first second."""
    pytest.importorskip("av")
    folder = TaskFolder(tmp_path / "tasks", "yard")
    rows = []
    for i in range(4):
        (folder.path / f"{i}.mp4").write_bytes(video(60, 10, salt=i * 64))
        question = {"time": 5.5, "kind": "backward", "question": "What?", "options": ["a", "b"], "answer": "b"}
        rows.append(
            {
                "id": f"s{i}", "video": f"{i}.mp4", "questions": [{**question, "evidence": [0, 0.5]}],
                "events": [{"question": "Has it happened?", "at": 2.5}],
            }
        )  # fmt: skip
    params = {"fps": 1, "policy": "window", "budget": 2}
    folder.rows(rows).task(
        doc_to_text="Watch.", doc_to_visual="video", doc_to_target=None, cluster_key="id", judge=JUDGE,
        episode={"player": "stream", "max_steps": 20, "params": params}, metric_list=["accuracy", "latency"],
    )  # fmt: skip
    return shell


def materialized(home: Path, asset: str, partition: str) -> dict:
    """The latest materialization's metadata of the asset, as Dagster's own storage has it."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        records = instance.fetch_materializations(dg.AssetKey(asset), limit=10).records
        assert {str(record.partition_key) for record in records} == {partition}
        return dict(records[0].asset_materialization.metadata)


def test_from_a_baseline_to_the_curve_of_its_context(evals, tmp_path):
    found = json.loads(evals("run", "--checkpoint", "oracle", "--model", "baseline", "--tasks", "yard", "--json"))
    metrics = found["reports"][0]["metrics"]
    assert metrics["accuracy"]["value"] == 1.0
    assert metrics["latency"]["value"] == pytest.approx(0.5)
    player = materialized(tmp_path / "dagster", "model_outputs", "oracle|yard")["player"].value
    assert player[0] == "stream"
    assert f"av {version('av')}" in player
    told = evals(
        "sweep-context", "observer", "yard", "--model", "baseline", "--policies", "thinning,all", "--budgets", "2,4"
    )  # fmt: skip
    assert "thinning: mean accuracy over the budgets 100.0" in told
    page = Path(told.rsplit("page: ", 1)[1].strip())
    assert "by budget of frames" in page.read_text(encoding="utf-8")
    told = materialized(tmp_path / "dagster", "context_sweep", "observer|yard")
    assert Path(told["page"].value) == page
    assert "thinning: mean accuracy over the budgets 100.0" in told["sweep"].value
    assert told["packages"].value["dagster"]
    few = evals(
        "sweep-context", "observer", "yard", "--policies", "window", "--budgets", "2,4", "--limit", "2", "--json"
    )
    assert [p["n"] for p in json.loads(few)["metrics"][0]["curves"][0]["points"]] == [2, 2]
    assert "thinning" in page.read_text(encoding="utf-8"), "a sweep of fewer items has a page of its own"
    assert "evals: no policy 'thining'" in evals("sweep-context", "observer", "yard", "--policies", "thining", code=1)
