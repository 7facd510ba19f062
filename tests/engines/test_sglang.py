"""Cells through an engine of kind sglang: our stand-in for its API, started, leased and swapped like the real one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.qualifying import qualify_swap
from eval_assets.pipeline.registering import from_directory, identify_checkpoint, register
from tests.engines.scoring import MIXED, checkpoint

pytest.importorskip("torch")
pytest.importorskip("transformers")
SERVER = Path(__file__).parent / "sglang_stand_in.py"


@pytest.fixture
def points(engines, tmp_path, store, monkeypatch) -> list:
    engine = {"kind": "sglang", "command": [sys.executable, str(SERVER)], "version": "0.5.23", "start_timeout": 60,
              "idle_minutes": 0.5, "dtype": "float32"}  # fmt: skip
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"engines": {"sglang": engine}}))
    monkeypatch.setenv("EVAL_MODELS", str(tmp_path / "models.yaml"))
    found = []
    for seed in range(2):
        folder = checkpoint(tmp_path / "run" / f"step-{seed}", seed=seed)
        for model in ("sglang", "transformers"):
            key = register(store, from_directory(folder, run=model, model=model)).key
            found.append(identify_checkpoint(store, key))
    return found


@pytest.fixture
def pictures(folder):
    shared = {"options": list(MIXED), "answer": "A"}
    return folder.rows(
        [
            {
                "id": f"q{n}",
                "question": f"Which digit is left, {n}?",
                "image": folder.picture(f"p{n}.png", n, 48),
                **shared,
            }
            for n in range(6)
        ]
    )


def outputs(store, point, task) -> dict:
    cell = plan_cell(store, point, task)
    infer(cell, store, run_id="r", log=print)
    keys = {row[3] for row in cell.outputs(store).identities()}
    wanted = {q for q in keys if q}
    rows = [row for row in cell.outputs(store).answers() if row["request_key"] in wanted]
    return {row["item_id"]: row for row in rows}


def test_answers_and_log_likelihoods_are_those_of_transformers(store, points, pictures, engines):
    served, local, *_ = points
    asked = pictures.task(doc_to_visual="image")
    choices = pictures.task(
        doc_to_visual="image", output_type="multiple_choice", doc_to_choice="options", judge="choice", task="choices",
    )  # fmt: skip
    for task in (asked, choices):
        ingest(task, store)
    texts = outputs(store, served, asked)
    # The same weights are one table: the second model's rows come after the first's.
    assert {i: row["text"].strip() for i, row in texts.items()} == {
        i: row["text"].strip() for i, row in outputs(store, local, asked).items()
    }
    scored = outputs(store, served, choices)
    exact = outputs(store, local, choices)
    for item, row in scored.items():
        assert row["loglikelihoods"] == pytest.approx(exact[item]["loglikelihoods"], abs=1e-4)
    assert engines.starts() == [served.key]


def test_a_swap_is_qualified_and_then_made(store, points, pictures, engines):
    first, second = points[0], points[2]
    task = pictures.task(doc_to_visual="image")
    ingest(task, store)
    found = qualify_swap(store, first, second, task, limit=4, log=print)
    assert found.passed, found
    starts = len(engines.starts())
    for point in (first, second):
        infer(plan_cell(store, point, task), store, run_id="r", log=print)
    assert len(engines.starts()) == starts + 1
    assert engines.events().count("swaps") == 1
