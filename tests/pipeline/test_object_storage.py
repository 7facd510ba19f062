"""The whole chain with EVAL_HOME on object storage: an S3 server in a thread of this process."""

from __future__ import annotations

import json

import pytest

from eval_assets.pipeline.cell import find_checkpoint, plan_cell
from eval_assets.pipeline.importing import import_answers
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest, media_of
from eval_assets.pipeline.registering import identify_checkpoint
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell
from resources.store import Store


def test_a_cell_on_object_storage(bucket, folder, png):
    store = Store(bucket)
    rows = [
        {"id": str(i), "question": f"Bird {i}?", "answer": "yes", "image": folder.picture(f"{i % 3}.png", i % 3)}
        for i in range(9)
    ]
    task = folder.rows(rows).task(doc_to_visual="image")
    assert ingest(task, store).media == 3
    answers = folder.path / "log.jsonl"
    answers.write_text("".join(json.dumps({"id": str(i), "text": "yes" if i < 6 else "no"}) + "\n" for i in range(9)))
    import_answers(store, answers, task, "m", id_field="id", response_field="text")
    identify_checkpoint(store, "m")
    cell = plan_cell(store, find_checkpoint(store, "m"), task)
    for step in (infer, judge_cell, report_cell):
        step(cell, store, run_id="r", log=lambda line: None)
    report = store.read_json("reports", task.task, "m.json")
    assert report["metrics"]["accuracy"]["value"] == pytest.approx(6 / 9)
    assert report["metrics"]["accuracy"]["n_clusters"] == 3
    sha = next(iter(store_shas(store, task)))
    assert media_of(store, task).read([sha])[sha] in {png(n) for n in range(3)}
    again = infer(cell, store, run_id="r2", log=lambda line: None)
    assert again.asked == 0


def store_shas(store, task):
    from eval_assets.pipeline.questions import questions

    return [m.sha for batch in questions(store, task) for q in batch for m in q.item.media]
