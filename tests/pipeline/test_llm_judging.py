"""Judges that ask a model, over the wire: what is asked, what is kept, what is asked again."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.judging import JudgingIncomplete
from eval_assets.pipeline.planning import need_of
from eval_assets.pipeline.scoring import judge_cell, scores_of
from eval_assets.results import outputs
from resources.models import ModelUnusable
from tests.conftest import Reply, Seen
from tests.pipeline.conftest import Judged, quiet


def test_the_judge_sees_question_reference_and_answer_and_is_held_to_a_schema(judged: Judged) -> None:
    judged.answers = lambda question: f"I say yes to {question}"
    scores = judged.scored(judged.task(rubric="Be strict."))
    assert [row["score"] for row in scores] == [1.0] * 6
    asked = judged.asked_of_judges()
    assert len(asked) == 6
    first = next(seen for seen in asked if "Question 0?" in seen.text)
    assert "I say yes to Question 0?" in first.text
    assert "Be strict." in first.text
    assert "yes\n[End of reference" in first.text
    schema = first.body["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["reason", "score"]
    assert first.body["temperature"] == 0


def test_judging_again_asks_nothing_and_a_changed_prompt_asks_only_the_judge(judged: Judged) -> None:
    judged.answers = lambda question: f"yes to {question}"
    judged.scored(judged.task())
    before = len(judged.endpoint.seen)
    judged.scored(judged.task())
    assert len(judged.endpoint.seen) == before
    # Another aggregation of the same answers: parameters that reach no prompt.
    judged.scored(judged.task(none=None, ratios={"r": {"numerator": {"score": 1}, "denominator": {"score": 2}}}))
    assert len(judged.endpoint.seen) == before
    judged.scored(judged.task(rubric="Be kind."))
    new = judged.endpoint.seen[before:]
    assert len(new) == 6
    assert {seen.body["model"] for seen in new} == {"judge"}
    # And back: the first prompt's answers are still there.
    judged.scored(judged.task())
    assert len(judged.endpoint.seen) == before + 6


def test_equal_answers_to_equal_questions_are_judged_once(judged: Judged, rows: Any) -> None:
    judged.folder.rows([{**row, "question": "Which?"} for row in rows(6)])
    judged.scored(judged.task())
    assert len(judged.asked_of_judges()) == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("The answer is quite good, I would say.", "judge gave no verdict"),
        ("", "judge answered nothing"),
        ("这个答案是正确的", "judge gave no verdict"),
        ('{"score": 1} ... on reflection {"score": 0}', "judge gave several verdicts"),
        ('{"score": 7}', "judge gave no verdict"),
    ],
)
def test_what_cannot_be_read_is_unscored_with_its_reason_and_not_asked_again(
    judged: Judged, said: str, reason: str
) -> None:
    judged.verdict = lambda request: Reply(said)
    rows = judged.scored(judged.task())
    assert all(row["score"] is None for row in rows)
    assert {row["unscored"].partition(":")[0] for row in rows} == {reason}
    report = judged.bench.report(judged.task())
    assert report["coverage"] == 0
    assert report["unscored"] == {reason: 6}
    assert len(judged.asked_of_judges()) == 6


def test_a_judge_that_refuses_or_is_cut_off_is_its_own_reason(judged: Judged) -> None:
    judged.answers = lambda question: f"yes to {question}"

    def verdict(request: Seen) -> Reply:
        if "Question 0?" in request.text:
            return Reply("", finish_reason="content_filter")
        if "Question 1?" in request.text:
            return Reply('{"reason": "well, ', finish_reason="length")
        return Reply('{"score": 0.5}')

    judged.verdict = verdict
    scores = judged.scored(judged.task())
    assert [row["score"] for row in scores] == [None, None, 0.5, 0.5, 0.5, 0.5]
    assert scores[0]["unscored"].startswith("judge refused: default")
    assert scores[1]["unscored"].startswith("judge was cut off")


def test_the_models_own_silence_and_refusals_are_wrong_and_cost_no_judge(judged: Judged) -> None:
    said = {"0": "", "1": "I'm sorry, but I can't help with that.", "2": "I'm sorry, but there is no bird in it."}
    judged.answers = lambda question: said.get(question.removeprefix("Question ").rstrip("?"), "yes")
    scores = judged.scored(judged.task())
    assert [row["score"] for row in scores] == [0, 0, 1, 1, 1, 1]
    assert [row["flags"] for row in scores[:3]] == [["empty"], ["refusal"], []]
    assert len(judged.asked_of_judges()) == 4


def test_an_endpoint_that_is_down_leaves_scores_unscored_fails_the_run_and_is_asked_again(judged: Judged) -> None:
    judged.answers = lambda question: f"yes to {question}"
    down = {"Question 2?", "Question 4?"}

    def verdict(request: Seen) -> Reply:
        broken = any(question in request.text for question in down)
        return Reply("no", status=500) if broken else Reply('{"score": 1}')

    judged.verdict = verdict
    task = judged.task()
    cell = judged.bench.cell(task)
    infer(cell, judged.bench.store, run_id="r", log=quiet)
    with pytest.raises(JudgingIncomplete, match=r"2 of 6 samples are unscored .*server: 500.* are kept"):
        judge_cell(cell, judged.bench.store, run_id="r", log=quiet)
    table = scores_of(judged.bench.store, "m", task.task).dataset().to_table().to_pylist()
    assert [row["score"] for row in table] == [1, 1, None, 1, None, 1]
    assert table[2]["unscored"].startswith("judge not reached: default")
    need = need_of(judged.bench.store, "m", task)
    assert (need.stage, need.reason) == ("judge_scores", "judge answers are missing")
    down.clear()
    before = len(judged.asked_of_judges())
    judge_cell(cell, judged.bench.store, run_id="r", log=quiet)
    assert len(judged.asked_of_judges()) == before + 2
    assert need_of(judged.bench.store, "m", task).stage == "statistical_report"


def test_a_spent_budget_stops_the_judge_and_keeps_what_it_said(judged: Judged) -> None:
    judged.answers = lambda question: f"yes to {question}"
    judged.configure(default=judged.entry(max_total_tokens=30, concurrency=1))
    task = judged.task()
    cell = judged.bench.cell(task)
    infer(cell, judged.bench.store, run_id="r", log=quiet)
    with pytest.raises(JudgingIncomplete, match="the budget of this run is spent"):
        judge_cell(cell, judged.bench.store, run_id="r", log=quiet)
    asked = len(judged.asked_of_judges())
    assert 0 < asked < 6
    judged.configure(default=judged.entry())
    judge_cell(cell, judged.bench.store, run_id="r", log=quiet)
    assert len(judged.asked_of_judges()) == 6


def test_k_samples_give_their_spread_and_each_runs_score(judged: Judged) -> None:
    judged.answers = lambda question: f"yes to {question}"
    said = iter([0, 1, 1] * 6)
    judged.configure(default=judged.entry(concurrency=1))
    judged.verdict = lambda request: Reply(json.dumps({"score": next(said)}))
    scores = judged.scored(judged.task(samples=3, generation={"temperature": 1, "max_tokens": 64}))
    assert len(judged.asked_of_judges()) == 18
    assert all(row["score"] == pytest.approx(2 / 3) for row in scores)
    assert all(row["value_judge_sd"] == pytest.approx((1 / 3) ** 0.5) for row in scores)
    assert [scores[0][f"value_run{k}_score"] for k in (1, 2, 3)] == [0, 1, 1]


def test_a_panel_is_averaged_and_one_that_refuses_is_left_out(judged: Judged) -> None:
    judged.answers = lambda question: f"yes to {question}"
    judged.configure(a=judged.entry("a"), b=judged.entry("b"))

    def verdict(request: Seen) -> Reply:
        if request.body["model"] == "a":
            return Reply('{"score": 1}')
        return Reply("", finish_reason="content_filter") if "Question 0?" in request.text else Reply('{"score": 0}')

    judged.verdict = verdict
    scores = judged.scored(judged.task(model=["a", "b"]))
    assert [row["score"] for row in scores] == [1, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert scores[1]["value_by_a"] == 1
    assert scores[1]["value_by_b"] == 0
    assert (scores[0]["value_judge_asked"], scores[0]["value_judge_read"]) == (2, 1)


def test_a_prompt_file_of_the_tasks_folder_is_part_of_the_judge(judged: Judged) -> None:
    file = judged.folder.path / "rate.j2"
    file.write_text("Rate {{ answer }} to {{ doc.question }} from {{ low }} to {{ high }}.")
    judged.verdict = lambda request: Reply("4")
    scores = judged.scored(judged.task(prompt="rate.j2", scale=[0, 5], read="number"))
    assert scores[0]["score"] == pytest.approx(0.8)
    assert judged.asked_of_judges()[0].text.startswith("Rate yes to Question")
    before = len(judged.endpoint.seen)
    file.write_text("Please rate {{ answer }} to {{ doc.question }} from {{ low }} to {{ high }}.")
    judged.scored(judged.task(prompt="rate.j2", scale=[0, 5], read="number"))
    assert {seen.body["model"] for seen in judged.endpoint.seen[before:]} == {"judge"}
    assert len(judged.endpoint.seen) == before + 6


def test_a_judge_with_media_sees_each_items_picture_once_and_as_it_is(judged: Judged, rows: Any) -> None:
    names = [judged.folder.picture(f"{number}.png", number) for number in range(2)]
    judged.folder.rows([{**row, "image": names[i % 2]} for i, row in enumerate(rows(4))])
    urls = ["data:image/png;base64," + base64.b64encode((judged.folder.path / n).read_bytes()).decode() for n in names]

    def task(**judge: Any) -> Any:
        return judged.folder.task(judge={"name": "llm", **judge}, doc_to_visual="image")

    judged.scored(task())
    assert [seen.pictures for seen in judged.asked_of_judges()] == [[]] * 4, "it sees none unless it is to"
    scores = judged.scored(task(media=True, system="You grade."))
    assert [row["score"] for row in scores] == [1] * 4
    asked = judged.asked_of_judges()[4:]
    shown = {seen.text[seen.text.index("Question ") :][:10]: seen.pictures for seen in asked}
    assert shown == {f"Question {i}": [urls[i % 2]] for i in range(4)}
    parts = asked[0].body["messages"][1]["content"]
    assert [part["type"] for part in parts] == ["image_url", "text"]
    before = len(judged.endpoint.seen)
    judged.scored(task(media=True, system="You grade."))
    assert len(judged.endpoint.seen) == before


def test_a_judge_that_cannot_see_what_it_is_to_see_scores_nothing(judged: Judged, rows: Any) -> None:
    judged.folder.picture("0.png", 0)
    (judged.folder.path / "a.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt ")
    judged.folder.rows([{**row, "image": name} for row, name in zip(rows(2), ("0.png", "a.wav"), strict=True)])
    task = judged.folder.task(judge={"name": "llm", "media": True}, doc_to_visual="image")
    scores = judged.scored(task)
    assert scores[0]["score"] == 1
    assert scores[1]["unscored"].startswith("judge error: it is shown pictures only, and the item has audio/")
    assert len(judged.asked_of_judges()) == 1


def test_pairs_are_asked_in_both_orders_against_another_checkpoints_answers(judged: Judged) -> None:
    judged.answers = lambda question: f"better {question}"
    task = judged.folder.task(judge={"name": "llm_pairwise", "baseline_checkpoint": "base"})
    cell = judged.bench.cell(task, key="m")
    with pytest.raises(LookupError, match="no checkpoint 'base'"):
        infer(cell, judged.bench.store, run_id="r", log=quiet)
    judged.bench.point("base", extra={"a": 1})
    infer(cell, judged.bench.store, run_id="r", log=quiet)
    with pytest.raises(ModelUnusable, match="base, the baseline of the judge of birds, has no complete answers"):
        judge_cell(cell, judged.bench.store, run_id="r", log=quiet)
    judged.answers = lambda question: f"worse {question}"
    judged.bench.infer(task, key="base", extra={"a": 1})

    def verdict(request: Seen) -> Reply:
        if "Question 5?" in request.text:
            return Reply('{"verdict": "A"}')  # whatever stands first
        return Reply(json.dumps({"verdict": "A" if "[Answer A]\nbetter" in request.text else "B"}))

    judged.verdict = verdict
    judge_cell(cell, judged.bench.store, run_id="r", log=quiet)
    table = scores_of(judged.bench.store, "m", task.task).dataset().to_table().to_pylist()
    assert [row["score"] for row in table] == [1, 1, 1, 1, 1, 0.5]
    assert [row["value_swap_disagrees"] for row in table] == [0, 0, 0, 0, 0, 1]
    assert [row["value_first_wins"] for row in table] == [0.5] * 5 + [1]
    assert len(judged.asked_of_judges()) == 12
    assert outputs("m", task.task, judged.bench.store).num_rows == 6
