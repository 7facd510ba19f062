"""A judge model reads answers and a rule compares them, over the wire and to the report."""

from __future__ import annotations

from typing import Any

import pytest

from eval_assets.pipeline.judgements import judgements_of
from tests.conftest import Reply
from tests.pipeline.conftest import Judged
from tests.pipeline.test_catalogue_figures import mean

PROMPT = "Extract yes or no.\n{{ question }}\n{{ answer }}\nExtracted: "


def task(judged: Judged, **judge: Any) -> Any:
    return judged.folder.task(judge={"name": "llm_extract", "prompt": PROMPT, "then": "exact", **judge})


def test_extractions_are_stored_rows_and_a_rule_may_be_changed_for_nothing(judged: Judged) -> None:
    judged.answers = lambda question: f"As to {question}, I agree"
    judged.verdict = lambda request: Reply("No" if "Question 0?" in request.text else "Yes")
    first = judged.scored(task(judged))
    assert [row["score"] for row in first] == [0, 1, 1, 1, 1, 1]
    assert [row["answer"] for row in first[:2]] == ["no", "yes"]
    assert len(judged.asked_of_judges()) == 6
    assert "response_format" not in judged.asked_of_judges()[0].body
    before = len(judged.endpoint.seen)
    other = judged.scored(task(judged, then="yes_no"))
    assert [row["value_fn"] for row in other] == [1, 0, 0, 0, 0, 0]
    assert len(judged.endpoint.seen) == before, "another rule reads what the model said before"
    judged.scored(task(judged, prompt="Please e" + PROMPT[1:]))
    new = judged.endpoint.seen[before:]
    assert {seen.body["model"] for seen in new} == {"judge"}, "another prompt asks the judge, and not the model"
    assert len(new) == 6


def test_what_the_task_knows_itself_is_not_asked(judged: Judged) -> None:
    (judged.folder.path / "utils.py").write_text(
        "def known(item, text):\n    return text if text in ('yes', 'no') else None\n\n\n"
        "def compare(item, text):\n    return {'score': text == item.target, 'answer': text}\n"
    )
    judged.answers = lambda question: "I suppose so" if question == "Question 3?" else "yes"
    judged.verdict = lambda request: Reply("no")
    file = judged.folder.path / "birds.yaml"
    task(judged)
    file.write_text(
        file.read_text().replace("then: exact", "known: !function utils.known\n  then: {name: function, function: "
                                 "!function utils.compare}")
    )  # fmt: skip
    from task_defs import load_task

    given = load_task(file)
    scores = judged.scored(given)
    assert [row["score"] for row in scores] == [1, 1, 1, 0, 1, 1]
    (asked,) = judged.asked_of_judges()
    assert asked.text == "Extract yes or no.\nQuestion 3?\nI suppose so\nExtracted: "
    (shown,) = judgements_of(judged.bench.store, "m", given)
    assert (shown["item_id"], shown["text"]) == ("q3", "no")


def test_a_judge_without_an_answer_is_told_with_the_samples(judged: Judged) -> None:
    judged.verdict = lambda request: Reply("" if "Question 1?" in request.text else "yes")
    scores = judged.scored(task(judged))
    assert scores[1]["unscored"] == "judge answered nothing"
    assert judged.bench.report(task(judged))["coverage"] == pytest.approx(5 / 6)


def test_hallusion_bench_as_its_authors_grade_it(judged: Judged, tmp_path: Any, monkeypatch: Any) -> None:
    """aAcc, fAcc and qAcc from grades, one of them `unclear`, which is right where there is no figure to see."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from task_defs import load_task
    from tests.conftest import png

    cells = [("VS", "0", "0"), ("VS", "1", "1"), ("VD", "0", "1")]
    rows = [
        {"category": c, "subcategory": "chart", "set_id": "0", "figure_id": figure, "visual_input": visual,
         "question_id": str(q), "question": f"Is {c} {figure} {q} so?", "gt_answer": "1", "gt_answer_details": "So.",
         "filename": "", "sample_note": "", "image": None if visual == "0" else {"bytes": png(n, 8), "path": None}}
        for n, (c, figure, visual) in enumerate(cells)
        for q in (0, 1)
    ]  # fmt: skip
    monkeypatch.setenv("EVAL_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data/hallusion_bench/data"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows[2:]), folder / "image-0.parquet")
    pq.write_table(pa.Table.from_pylist(rows[:2]), folder / "non_image-0.parquet")
    grades = {"VS 0 0": "unclear", "VS 1 0": "unclear", "VD 0 1": "incorrect"}
    judged.answers = lambda question: f"about {question}"
    judged.verdict = lambda request: Reply(next((g for q, g in grades.items() if q in request.text), "correct"))
    found = judged.bench.report(load_task("hallusion_bench_llm"))
    metrics = {name: metric["value"] for name, metric in found["metrics"].items()}
    right = {"VS 0 0": 1, "VS 0 1": 1, "VS 1 0": 0, "VS 1 1": 1, "VD 0 0": 1, "VD 0 1": 0}
    assert metrics["aAcc"] == pytest.approx(mean(right.values()))
    assert metrics["fAcc"] == 0.0  # both figures have a wrong answer; VS without a figure is none
    assert metrics["qAcc"] == pytest.approx(2 / 4)  # VS 0, VS 1 (right on both), VD 0 (right), VD 1
    assert metrics["unclear"] == pytest.approx(2 / 6)
    assert all("Reference answer: So." in seen.text for seen in judged.asked_of_judges())
