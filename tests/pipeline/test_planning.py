"""What a cell needs next and why; which run that means; the ledger of what is wanted."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from eval_assets.pipeline.cell import UnknownCheckpoint, Variant
from eval_assets.pipeline.draining import Last, Step, decide, step_for
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.ledger import CANCELLED, DONE, FAILED, WANTED, Wish, by_cell, settle, wish_for, wishes
from eval_assets.pipeline.planning import Need, need_of
from eval_assets.pipeline.registering import register
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import scores_of
from resources.models.checkpoint import Checkpoint
from resources.store.records import cells, checkpoints
from tests.conftest import Reply


def why(store, task, variant=None) -> tuple[str, str]:
    need = need_of(store, "m", task, variant)
    assert need.complete == (need.stage == "complete")
    return need.stage, need.reason


def test_a_new_cell_step_by_step(bench, folder, rows, store):
    task = folder.rows(rows(3)).task()
    with pytest.raises(UnknownCheckpoint, match="no checkpoint 'm'"):
        need_of(store, "m", task)
    register(store, Checkpoint("m", "openai", "gpt", bench.endpoint.args(max_retries=0)))
    assert why(store, task) == ("checkpoint", "new")
    bench.point()
    assert why(store, task) == ("benchmark_dataset", "not ingested")
    ingest(task, store)
    assert why(store, task) == ("model_outputs", "new")
    bench.infer(task)
    assert why(store, task) == ("judge_scores", "new")
    bench.scored(task)
    assert why(store, task) == ("statistical_report", "new")
    report_cell(bench.cell(task), store, run_id="r", log=print)
    assert why(store, task) == ("comparison", "new")
    bench.report(task)
    assert why(store, task) == ("complete", "complete")
    assert why(store, task, Variant(limit=2))[0] == "model_outputs"
    assert need_of(store, "m", task, baseline="base").stage == "comparison"


def test_each_change_is_named(bench, folder, rows, store):
    data = rows(3)
    task = folder.rows(data).task()
    bench.report(task)
    assert why(store, folder.task(doc_to_text="Q: {{ question }}")) == ("model_outputs", "prompt changed")
    gen = {"max_tokens": 9, "temperature": 0}
    assert why(store, folder.task(generation_kwargs=gen)) == ("model_outputs", "generation parameters changed")
    assert why(store, folder.task(repeats=2)) == ("model_outputs", "number of samples changed")
    assert why(store, folder.task(judge={"name": "contains"})) == ("judge_scores", "labels or judge changed")
    assert why(store, folder.task(report_by=["answer"])) == ("judge_scores", "labels or judge changed")
    metrics = [{"metric": "accuracy", "name": "share"}]
    assert why(store, folder.task(metric_list=metrics))[0] == "statistical_report"
    assert why(store, folder.task(doc_to_target="question"))[0] == "benchmark_dataset"
    both = folder.task(doc_to_text="Q: {{ question }}", generation_kwargs=gen)
    assert why(store, both) == ("model_outputs", "generation parameters changed, prompt changed")
    assert why(store, folder.task()) == ("complete", "complete")
    bench.cell(folder.rows(rows(4)).task())
    assert why(store, folder.task()) == ("model_outputs", "dataset changed")
    bench.report(folder.task())
    data = [{**row, "answer": "no"} for row in rows(4)]
    bench.cell(folder.rows(data).task())
    assert why(store, folder.task()) == ("judge_scores", "labels or judge changed")


def test_another_model_or_engine_under_the_same_name(bench, folder, rows, store):
    task = folder.rows(rows(2)).task()
    bench.report(task)
    bench.point(snapshot="2026-01-01")
    assert why(store, task) == ("model_outputs", "weights changed")
    bench.point(extra={"top_p": 0.5})
    assert why(store, task) == ("model_outputs", "engine or its settings changed")


def test_a_record_is_a_claim_and_what_it_claims_is_looked_for(bench, folder, rows, store):
    task = folder.rows(rows(3)).task()
    bench.report(task)
    shutil.rmtree(scores_of(store, "m", "birds").uri)
    assert why(store, task) == ("judge_scores", "scores are not there any more")
    shutil.rmtree(bench.cell(task).outputs(store).uri)
    assert why(store, task) == ("model_outputs", "stored answers are not there any more")
    assert len(bench.asked(task)) == 3
    bench.report(task)
    assert why(store, task)[0] == "complete"


def test_a_cell_that_stopped_half_way_is_not_finished(bench, folder, rows, store, endpoint):
    endpoint.answer = lambda request, number: Reply(status=500 if number == 2 else 200, text="x")
    task = folder.rows(rows(4)).task()
    with pytest.raises(RuntimeError):
        bench.infer(task)
    assert why(store, task) == ("model_outputs", "not finished")


def test_planning_hashes_requests_once_for_many_checkpoints(bench, folder, rows, store, monkeypatch):
    from eval_assets.pipeline import questions

    task = folder.rows(rows(50)).task()
    bench.cell(task)
    rendered = []
    plain = questions.question
    monkeypatch.setattr(questions, "question", lambda task, row: rendered.append(1) or plain(task, row))
    for i in range(5):
        bench.point(f"m{i}")
        assert need_of(store, f"m{i}", task).stage == "model_outputs"
    assert rendered == []


# --- runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "step"),
    [
        ("checkpoint", Step("checkpoint", "a", "sig")),
        ("benchmark_dataset", Step("dataset", "t", "not ingested")),
        ("model_outputs", Step("cell", "a|t", "key:model_outputs")),
        ("judge_scores", Step("cell", "a|t", "key:judge_scores")),
    ],
)
def test_the_run_that_a_need_asks_for(stage, step):
    assert step_for(Need("a", "t", stage, "not ingested", "key"), "sig") == step


def test_a_step_is_tried_so_often_and_another_version_begins_anew():
    step = Step("cell", "a|t", "v1")
    assert decide(step, None, 3).action == "request"
    running = decide(step, Last("running", "v1", 1), 3)
    assert (running.action, running.attempt) == ("wait", 1)
    assert decide(step, Last("running", "v0", 3), 3).action == "wait", "one run of a target at a time"
    for attempt in (1, 2):
        again = decide(step, Last("failure", "v1", attempt), 3)
        assert (again.action, again.attempt) == ("request", attempt + 1)
    given_up = decide(step, Last("failure", "v1", 3, "run-7"), 3)
    assert given_up.action == "give_up"
    assert given_up.reason == "cell:a|t failed 3 times, last in run run-7"
    assert "without completing it" in decide(step, Last("success", "v1", 3), 3).reason
    anew = decide(step, Last("failure", "v0", 3), 3)
    assert (anew.action, anew.attempt) == ("request", 1)


def test_decisions_end_for_any_bound():
    for bound in (1, 2, 5):
        last, asked = None, 0
        while (verdict := decide(Step("cell", "a|t", "v"), last, bound)).action == "request":
            asked += 1
            last = Last("failure", "v", verdict.attempt)
        assert asked == bound


# --- the ledger -----------------------------------------------------------------------------------


def test_wishes_are_served_by_priority_and_age_each_once(store):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    wish_for(store, [Wish(c, "t", "me", p, at=start + timedelta(hours=h)) for c, p, h in
                     [("late", 0, 2), ("early", 0, 1), ("urgent", 5, 3)]])  # fmt: skip
    assert [w.checkpoint for w in wishes(store)] == ["urgent", "early", "late"]
    wish_for(store, [Wish("late", "t", "you", 9)])
    cells = by_cell(wishes(store))
    assert [[(w.checkpoint, w.who) for w in cell] for cell in cells] == [
        [("late", "you"), ("late", "me")], [("urgent", "me")], [("early", "me")],
    ]  # fmt: skip


def test_what_one_no_longer_wants_is_still_wanted_by_the_other(store):
    wish_for(store, [Wish("a", "t", "me"), Wish("a", "t", "you")])
    settle(store, wishes(store, who="me"), CANCELLED)
    assert [(w.checkpoint, w.who) for w in wishes(store)] == [("a", "you")]


def test_who_settles_late_undoes_nothing(store):
    """A wish that was cancelled, or wished for again, since it was read keeps its state."""
    wish_for(store, [Wish("a", "t", "me"), Wish("b", "t", "me")])
    read = wishes(store)
    settle(store, [w for w in read if w.checkpoint == "a"], CANCELLED)
    wish_for(store, [Wish("b", "t", "me")])
    settle(store, read, WANTED, "waits")
    settle(store, read, FAILED, "late")
    assert [(w.checkpoint, w.reason) for w in wishes(store)] == [("b", "")]
    assert [w.checkpoint for w in wishes(store, CANCELLED)] == ["a"]


def test_a_variant_is_a_cell_of_its_own_and_reads_back(store):
    variant = Variant(limit=5, gen={"temperature": 0.5})
    assert Variant.read(variant.text()) == variant
    assert Variant().text() == ""
    assert Variant.read("") == Variant()
    wish_for(store, [Wish("a", "t", "me"), Wish("a", "t", "me", variant=variant.text())])
    assert len(by_cell(wishes(store))) == 2


def test_a_settled_wish_is_kept_with_its_reason_and_may_be_wished_again(store):
    wish_for(store, [Wish("a", "t", "me"), Wish("b", "t", "me")])
    first, second = wishes(store)
    settle(store, [first], DONE)
    settle(store, [second], FAILED, "no such model")
    assert wishes(store) == []
    assert [w.reason for w in wishes(store, FAILED)] == ["no such model"]
    wish_for(store, [Wish("b", "t", "me")])
    assert [w.checkpoint for w in wishes(store)] == ["b"]
    assert wishes(store, FAILED) == []
    wish_for(store, [])
    assert len(wishes(store)) == 1


def test_planning_writes_nothing(bench, folder, rows, store):
    from resources.store.tables import open_table

    task = folder.rows(rows(3)).task()
    bench.report(task)
    need_of(store, "m", task)
    tables = [cells(store).uri, checkpoints(store).uri]
    before = [open_table(uri).version for uri in tables]
    for _ in range(3):
        need_of(store, "m", task)
    assert [open_table(uri).version for uri in tables] == before
