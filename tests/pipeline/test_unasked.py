"""A row of which the task's definition makes no question is that item's loss and nobody else's."""

from __future__ import annotations

import pytest

from task_defs import RenderError, load_task

PROMPT = """def prompt(doc):
    if doc["id"] in {broken!r}:
        raise KeyError("no such bird")
    return doc["question"]
"""


def task_with(folder, rows, broken):
    folder.rows(rows(4)).task(doc_to_text="PROMPT")
    (folder.path / "utils.py").write_text(PROMPT.format(broken=broken))
    file = folder.path / "birds.yaml"
    file.write_text(file.read_text().replace("PROMPT", "!function utils.prompt"))
    return load_task(file)


def test_a_function_that_raises_for_one_item_loses_that_item_alone(bench, folder, rows, endpoint):
    task = task_with(folder, rows, ("q2",))
    report = bench.report(task)
    assert sorted(seen.text for seen in endpoint.seen) == ["Question 0?", "Question 1?", "Question 3?"]
    assert report["coverage"] == pytest.approx(0.75)
    assert report["unscored"] == {"no question": 1}
    verdicts = {row["item_id"]: row for row in bench.scored(task)}
    reason, _, trace = verdicts["q2"]["unscored"].partition("\n")
    assert "doc_to_text: task birds, item q2: KeyError: 'no such bird'" in reason
    assert 'raise KeyError("no such bird")' in trace


def test_once_the_function_is_mended_that_item_alone_is_asked(bench, folder, rows):
    bench.infer(task_with(folder, rows, ("q2",)))
    assert bench.asked(task_with(folder, rows, ())) == ["Question 2?"]


def test_a_field_that_only_some_rows_have_costs_only_the_others(bench, folder, rows):
    given = rows(3)
    given[1]["hint"] = "It flies."
    assert bench.asked(folder.rows(given).task(doc_to_text="{{ hint }} {{ question }}")) == ["It flies. Question 1?"]


def test_a_prompt_that_no_row_can_be_put_into_is_refused_before_anything_is_asked(bench, folder, rows, endpoint):
    with pytest.raises(RenderError, match=r"birds\.yaml:\d+: doc_to_text: task birds, item q0: KeyError"):
        bench.infer(task_with(folder, rows, ("q0", "q1", "q2", "q3")))
    assert not endpoint.seen


def test_recorded_answers_to_such_an_item_are_judged(folder, rows, store, tmp_path):
    from eval_assets.pipeline.cell import plan_cell
    from eval_assets.pipeline.importing import import_answers
    from eval_assets.pipeline.infer import infer
    from eval_assets.pipeline.ingest import ingest
    from eval_assets.pipeline.registering import identify_checkpoint
    from eval_assets.pipeline.scoring import judge_cell, scores_of

    task = task_with(folder, rows, ("q2",))
    ingest(task, store)
    (tmp_path / "log.jsonl").write_text("".join(f'{{"id": "q{i}", "text": "yes"}}\n' for i in range(4)))
    import_answers(store, tmp_path / "log.jsonl", task, "old", id_field="id", response_field="text")
    cell = plan_cell(store, identify_checkpoint(store, "old"), task)
    infer(cell, store, run_id="r", log=print)
    judge_cell(cell, store, run_id="r", log=print)
    found = scores_of(store, "old", "birds", "").dataset().to_table().to_pylist()
    assert [row["score"] for row in found] == [1.0] * 4
