"""Reasoning through the chain: kept apart, judged without, recoverable, in tables of any age."""

from __future__ import annotations

import pyarrow as pa

from eval_assets import results
from eval_assets.pipeline.scoring import judge_cell, scores_of
from resources.models.checkpoint import Checkpoint
from resources.models.reasoning import whole
from resources.models.recorded import store_answers
from resources.store.outputs import SCHEMA, response_of
from resources.store.tables import append, open_table
from tests.conftest import Reply

THOUGHT = "<think>\nno? no: yes\n</think>\n\n"
REPLIES = {
    "0": Reply(text=f"{THOUGHT}yes"),
    "1": Reply(text="yes", message={"reasoning": "no? no: yes"}),
    "2": Reply(text="<think>yes, yes, y", finish_reason="length"),
    "3": Reply(text="<scratch>no</scratch>yes"),
    "4": Reply(text="yes"),
}


def thinking(request, number: int) -> Reply:
    return REPLIES[request.text.split()[1].rstrip("?")]


def rows_of(store, cell) -> dict[str, dict]:
    return {row["item_id"]: row for row in open_table(cell.outputs(store).uri).to_table().to_pylist()}


def scores_by_item(scored: list[dict]) -> dict[str, float]:
    return {row["item_id"]: row["score"] for row in scored}


def test_both_are_stored_and_the_answer_is_judged(bench, folder, rows, store, endpoint, monkeypatch):
    endpoint.answer = thinking
    task = folder.rows(rows(5)).task()
    scored = bench.scored(task)
    assert scores_by_item(scored) == {"q0": 1, "q1": 1, "q2": 0, "q3": 0, "q4": 1}
    assert next(row["flags"] for row in scored if row["item_id"] == "q2") == ["truncated", "empty"]
    stored = rows_of(store, bench.cell(task))
    found = {i: (row["text"], row["reasoning"], row["finish_reason"]) for i, row in stored.items()}
    assert found == {
        "q0": ("yes", THOUGHT, "stop"),
        "q1": ("yes", "no? no: yes", "stop"),
        "q2": ("", "<think>yes, yes, y", "length"),
        "q3": ("<scratch>no</scratch>yes", None, "stop"),
        "q4": ("yes", None, "stop"),
    }
    texts = {i: whole(response_of(row)).text for i, row in stored.items()}
    assert texts == {f"q{n}": reply.text for n, reply in REPLIES.items()}
    monkeypatch.setenv("EVAL_TASK_PATH", str(folder.path))
    shown = {item["item_id"]: (item["text"], item["reasoning"]) for item in results.items("m", "birds", store=store)}
    assert shown["q0"] == ("yes", THOUGHT)
    assert shown["q4"] == ("yes", None)


def test_other_tags_judge_again_and_ask_nothing(bench, folder, rows, endpoint):
    endpoint.answer = thinking
    task = folder.rows(rows(5)).task()
    bench.scored(task)
    asked = len(endpoint.seen)
    assert scores_by_item(bench.scored(task, reasoning_tags="scratch")) == {"q0": 1, "q1": 1, "q2": 0, "q3": 1, "q4": 1}
    assert scores_by_item(bench.scored(task)) == {"q0": 1, "q1": 1, "q2": 0, "q3": 0, "q4": 1}
    assert len(endpoint.seen) == asked


def test_a_judge_that_wants_the_reasoning_sees_the_text_as_it_came(bench, folder, rows, endpoint):
    endpoint.answer = lambda request, number: Reply(text="<think>my number is 7</think> 8")
    data = [{**row, "answer": "7"} for row in rows(2)]
    sees_all = {"name": "contains", "extract": {"strip_reasoning": False, "methods": ["whole"]}}
    assert [r["score"] for r in bench.scored(folder.rows(data).task(judge="contains"))] == [0, 0]
    assert [r["score"] for r in bench.scored(folder.task(judge=sees_all))] == [1, 1]
    assert len(endpoint.seen) == 2


def test_recorded_answers_are_separated_like_any(bench, folder, rows, store):
    from eval_assets.pipeline.cell import plan_cell
    from eval_assets.pipeline.infer import infer
    from eval_assets.pipeline.ingest import ingest
    from eval_assets.pipeline.registering import identify_checkpoint, register

    task = folder.rows(rows(2)).task()
    uri = store.table("recorded", "old")
    store_answers(uri, "birds", [("q0", 0, f"{THOUGHT}yes"), ("q1", 0, "yes")])
    register(store, Checkpoint("old", "recorded", uri, {"reasoning_tags": "think"}))
    ingest(task, store)
    cell = plan_cell(store, identify_checkpoint(store, "old"), task)
    infer(cell, store, run_id="r", log=print)
    judge_cell(cell, store, run_id="r", log=print)
    assert {i: row["text"] for i, row in rows_of(store, cell).items()} == {"q0": "yes", "q1": "yes"}
    assert scores_of(store, "old", "birds").dataset().to_table()["score"].to_pylist() == [1.0, 1.0]


def test_a_table_of_before_is_read_added_to_and_judged(bench, folder, rows, store, endpoint):
    """Rows without the new columns, their reasoning in the text: as the version before wrote them."""
    new = {"reasoning", "reasoning_in_text", "reasoning_tokens", "served_by"}
    before = pa.schema([field for field in SCHEMA if field.name not in new])
    endpoint.answer = thinking
    task = folder.rows(rows(3)).task()
    bench.infer(task)
    cell = bench.cell(task)
    old = [
        {**{k: v for k, v in row.items() if k not in new}, "text": whole(response_of(row)).text}
        for row in rows_of(store, cell).values()
    ]
    uri = cell.outputs(store).uri
    import shutil

    shutil.rmtree(uri)
    append(uri, pa.Table.from_pylist(old, schema=before), before)
    assert scores_by_item(bench.scored(task)) == {"q0": 1, "q1": 1, "q2": 0}
    assert bench.report(task)["usage"]["prompt_tokens"] == 21
    assert bench.report(task)["usage"]["reasoning_tokens"] is None
    more = folder.rows(rows(5)).task()
    assert bench.asked(more) == ["Question 3?", "Question 4?"]
    assert scores_by_item(bench.scored(more)) == {"q0": 1, "q1": 1, "q2": 0, "q3": 0, "q4": 1}
    assert rows_of(store, bench.cell(more))["q0"]["reasoning"] is None
