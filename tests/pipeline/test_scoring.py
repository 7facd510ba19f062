"""From responses to verdicts: a row for each sample, unscored told from wrong."""

from __future__ import annotations

import pytest

from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.scoring import OutputsIncomplete, judge_cell, scores_of
from resources.store.tables import open_table
from tests.conftest import Reply


def test_each_sample_of_each_item_has_a_verdict_in_order(bench, folder, rows, endpoint):
    endpoint.answer = lambda request, number: Reply(text="yes" if number % 2 else "no")
    scored = bench.scored(folder.rows(rows(700)).task(repeats=2), concurrency=1)
    assert [(row["item_id"], row["sample"], row["position"]) for row in scored] == [
        (f"q{i}", sample, i) for i in range(700) for sample in range(2)
    ]
    assert [row["score"] for row in scored] == [row["answer"] == "yes" for row in scored]
    assert sum(row["score"] for row in scored) == 700
    assert {row["prompt_tokens"] for row in scored} == {7}
    assert all(row["seconds"] > 0 for row in scored)


def test_a_models_fault_is_0_with_a_flag_and_any_other_fault_is_unscored(bench, folder, rows, endpoint):
    replies = {
        "q0": Reply(text="yes"),
        "q1": Reply(text=""),
        "q2": Reply(text=None, message={"refusal": "I cannot help with that."}),
        "q3": Reply(text="", finish_reason="content_filter"),
        "q4": Reply(text="refused by content_policy", status=400),
        "q5": Reply(text="maximum context length", status=400),
        "q6": Reply(text="yes", finish_reason="length"),
        "q7": Reply(text="yes"),
        "q8": Reply(text="yes"),
    }
    endpoint.answer = lambda request, number: replies["q" + request.text.split()[1].rstrip("?")]
    data = rows(9)
    data[7]["answer"] = None
    data[8]["answer"] = {"not": "a label"}
    found = {row["item_id"]: row for row in bench.scored(folder.rows(data).task())}
    assert {i: (row["score"], row["flags"]) for i, row in found.items()} == {
        "q0": (1.0, []),
        "q1": (0.0, ["empty"]),
        "q2": (0.0, ["refusal"]),
        "q3": (0.0, ["refusal"]),
        "q4": (0.0, ["refusal"]),
        "q5": (None, []),
        "q6": (1.0, ["truncated"]),
        "q7": (None, []),
        "q8": (None, []),
    }
    reasons = {i: row["unscored"] for i, row in found.items() if row["unscored"]}
    assert reasons["q5"].startswith("no response: too_long")
    assert reasons["q7"] == "missing label"
    assert reasons["q8"].startswith("unusable label")
    assert all((row["score"] is None) == (row["unscored"] is not None) for row in found.values())


def test_what_is_judged_already_is_not_judged_again(bench, folder, rows, store):
    task = folder.rows(rows(3)).task()
    bench.scored(task)
    cell = bench.cell(task)
    uri = scores_of(store, "m", "birds").uri
    before = open_table(uri).version
    said: list[str] = []
    again = judge_cell(cell, store, run_id="r", log=said.append)
    assert (again.judged, again.rows, open_table(uri).version) == (False, 3, before)
    assert "nothing to judge" in said[0]
    judged = judge_cell(bench.cell(folder.task(judge={"name": "contains"})), store, run_id="r", log=said.append)
    assert judged.judged
    assert judged.version != again.version


def test_without_complete_outputs_there_is_nothing_to_judge(bench, folder, rows, store):
    cell = bench.cell(folder.rows(rows(3)).task())
    with pytest.raises(OutputsIncomplete, match="m on birds has no complete outputs: materialize model_outputs"):
        judge_cell(cell, store, run_id="r", log=print)
    bench.infer(folder.task())
    grown = bench.cell(folder.rows(rows(4)).task())
    with pytest.raises(OutputsIncomplete):
        judge_cell(grown, store, run_id="r", log=print)


def test_a_variant_is_scored_beside_the_task_and_not_in_its_place(bench, folder, rows, store):
    task = folder.rows(rows(4)).task()
    bench.scored(task)
    assert len(bench.scored(task, Variant(limit=2))) == 2
    assert scores_of(store, "m", "birds").count() == 4


def test_components_and_categories_are_columns(bench, folder, rows):
    data = [{**row, "kind": kind, "answer": label} for row, kind, label in zip(
        rows(3), ["owl", None, "tit"], ["yes", "no", "yes"], strict=True
    )]  # fmt: skip
    found = bench.scored(folder.rows(data).task(judge="yes_no", report_by=["kind"]))
    assert [row["by_kind"] for row in found] == ["owl", None, "tit"]
    assert [(row["value_tp"], row["value_fp"], row["value_fn"]) for row in found] == [(1, 0, 0), (0, 1, 0), (1, 0, 0)]
