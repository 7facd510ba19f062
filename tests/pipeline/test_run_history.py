"""Checkpoints of one run: what each is compared with, its report, and the leaderboard."""

from __future__ import annotations

import json

import pytest

from eval_assets.pipeline.checkpoint_report import checkpoint_data, outdated_reports, write_checkpoint_report
from eval_assets.pipeline.comparisons import compare_with_others, comparisons_now, others
from eval_assets.pipeline.files import write_json
from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.leaderboard import leaderboard_data
from eval_assets.pipeline.registering import register, run_of
from eval_assets.settings import Settings
from resources.models.checkpoint import Checkpoint
from resources.store.records import checkpoints
from tests.conftest import Reply

RIGHT = {10: 20, 20: 26, 30: 34}  # right answers of 40 by step


@pytest.fixture
def run(bench, folder, rows, monkeypatch):
    """Three checkpoints of a run and a baseline, scored; the last is asked about in the tests."""
    task = folder.rows(rows(40)).task()
    monkeypatch.setenv("EVAL_TASK_PATH", str(folder.path))
    for key, step, right in [*((f"run.{s}", s, r) for s, r in RIGHT.items()), ("base", None, 10)]:
        arguments = bench.endpoint.args(max_retries=0, snapshot=key)
        register(bench.store, Checkpoint(key, "openai", "gpt", arguments, run=step and "run", step=step))
        bench.endpoint.answer = lambda request, number, r=right: Reply(
            text="yes" if int(request.text.split()[1].rstrip("?")) < r else "no"
        )
        bench.report(task, key=key, snapshot=key)
    return task


def test_each_is_compared_with_baseline_previous_and_first(run, bench, store):
    last = bench.cell(run, key="run.30", snapshot="run.30")
    assert others(store, last.checkpoint, "birds", "base") == {
        "baseline": "base",
        "previous": "run.20",
        "first": "run.10",
    }
    found = compare_with_others(last, store, "base", run_id="r")
    assert {role: e[0]["mean_diff"] for role, e in found.entries.items()} == {
        "baseline": pytest.approx(24 / 40),
        "previous": pytest.approx(8 / 40),
        "first": pytest.approx(14 / 40),
    }
    again = compare_with_others(last, store, "base", run_id="r")
    assert again.version == found.version
    assert again.entries["previous"][0]["mean_diff"] == found.entries["previous"][0]["mean_diff"]
    assert compare_with_others(last, store, None, run_id="r").version != found.version
    first = bench.cell(run, key="run.10", snapshot="run.10")
    assert compare_with_others(first, store, "base", run_id="r").entries.keys() == {"baseline"}
    base = bench.cell(run, key="base", snapshot="base")
    assert compare_with_others(base, store, "base", run_id="r").entries == {}


def test_an_entry_of_older_statistics_is_made_anew(run, bench, store):
    """A comparison that was stored before the estimators changed lacks what is asked of it now."""
    last = bench.cell(run, key="run.30", snapshot="run.30")
    compare_with_others(last, store, None, run_id="r")
    stored = store.read_json("reports", "birds", "run.30.compare.json")
    kept = comparisons_now(store, last.checkpoint, run, None).entries["previous"]
    assert kept == stored["entries"]["previous"][0]
    stored["entries"]["previous"][0] = {"b": "run.20", "mean_diff": 7}
    write_json(store, {**stored, "statistics": "of old"}, "run.30.compare", "birds")
    assert comparisons_now(store, last.checkpoint, run, None).entries["previous"]["mean_diff"] == pytest.approx(8 / 40)


def test_a_side_that_cannot_be_compared_is_absent_with_its_reason(run, bench, folder, rows, store):
    last = bench.cell(run, key="run.30", snapshot="run.30")
    assert (
        "evals run --checkpoint nobody --tasks birds"
        in compare_with_others(last, store, "nobody", run_id="r").absent["baseline"]
    )
    data = rows(40)
    data[5]["answer"] = "no"
    task = folder.rows(data).task()
    bench.report(task, key="run.30", snapshot="run.30")
    fresh = bench.cell(task, key="run.30", snapshot="run.30")
    found = compare_with_others(fresh, store, "base", run_id="r")
    assert found.entries == {}
    assert all("'q5'" in why for why in found.absent.values())


def test_a_cell_without_scores_cannot_be_compared(bench, folder, rows, store):
    with pytest.raises(NotScored):
        compare_with_others(bench.cell(folder.rows(rows(2)).task()), store, None, run_id="r")


def test_the_runs_order_is_of_steps_and_not_of_names(run, store):
    point = Checkpoint.from_record(checkpoints(store).get(checkpoint="run.30"))
    assert [p.key for p in run_of(store, point)] == ["run.10", "run.20", "run.30"]
    base = Checkpoint.from_record(checkpoints(store).get(checkpoint="base"))
    assert [p.key for p in run_of(store, base)] == ["base"]


def test_the_checkpoint_report_has_all_tasks_and_the_history(run, bench, store):
    settings = Settings(baseline="base")
    for step in RIGHT:
        compare_with_others(bench.cell(run, key=f"run.{step}", snapshot=f"run.{step}"), store, "base", run_id="r")
    data = checkpoint_data(store, "run.30", settings)
    assert [p["value"] for p in data["history"]["birds"]] == [right / 40 for right in RIGHT.values()]
    assert list(data["tasks"]) == ["birds"]
    compared = data["comparisons"]["baseline"][0]
    assert compared["p_adjusted"] == pytest.approx(compared["p_value"])
    assert "run.30" in outdated_reports(store)
    written = write_checkpoint_report(store, "run.30", settings)
    assert "run.30" not in outdated_reports(store)
    stored = store.read_json("reports", "run.30.json")
    assert stored["tasks"]["birds"]["metrics"]["accuracy"]["value"] == 34 / 40
    assert stored == json.loads(json.dumps(written.data))
    assert b"<html" in store.read_file("reports", "run.30.html").lower()
    register(store, Checkpoint("new", "openai", "gpt"))
    with pytest.raises(LookupError, match="no report yet"):
        checkpoint_data(store, "new", settings)


def test_the_leaderboard_has_the_best_first(run, store):
    board = [(row["checkpoint"], row["value"]) for row in leaderboard_data(store)["rows"]]
    assert board == [("run.30", 0.85), ("run.20", 0.65), ("run.10", 0.5), ("base", 0.25)]


def test_where_less_is_better_the_least_comes_first(run, bench, folder, rows, store):
    metrics = [{"metric": "accuracy", "name": "error", "higher_is_better": False}]
    task = folder.rows(rows(40)).task(metric_list=metrics)
    for key in ("run.10", "run.30"):
        bench.report(task, key=key, snapshot=key)
    board = [row["checkpoint"] for row in leaderboard_data(store)["rows"] if row["metric"] == "error"]
    assert board == ["run.10", "run.30"]
