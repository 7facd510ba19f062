"""Two training runs, paired by step and item."""

from __future__ import annotations

import json

import pytest

from eval_assets.pipeline.comparing import NotComparable
from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.registering import register
from eval_assets.pipeline.run_pairs import compare_runs, write_run_comparison
from eval_assets.pipeline.run_scores import UnknownRun
from resources.models.checkpoint import Checkpoint
from tests.conftest import Reply

ITEMS = 40


@pytest.fixture
def train(bench, folder, rows, monkeypatch):
    """`train("a", {10: 20})`: run a has 20 of 40 right at step 10."""
    task = folder.rows(rows(ITEMS)).task()
    monkeypatch.setenv("EVAL_TASK_PATH", str(folder.path))

    def make(run: str, right: dict[int, int]) -> None:
        for step, count in right.items():
            key = f"{run}.{step}"
            arguments = bench.endpoint.args(max_retries=0, snapshot=key)
            register(bench.store, Checkpoint(key, "openai", "gpt", arguments, run=run, step=step))
            bench.endpoint.answer = lambda request, number, most=count: Reply(
                text="yes" if int(request.text.split()[1].rstrip("?")) < most else "no"
            )
            bench.report(task, key=key, snapshot=key)

    return make


def test_common_steps_are_paired_and_the_others_named(train, store):
    train("a", {10: 20, 20: 34, 30: 36})
    train("b", {10: 20, 20: 22, 40: 30})
    found = compare_runs(store, "a", "b")["tasks"]["birds"]
    assert [(e["step"], e["a"], e["b"], round(ITEMS * e["mean_diff"])) for e in found["steps"]] == [
        (10, "a.10", "b.10", 0),
        (20, "a.20", "b.20", 12),
    ]
    assert [e["survives"] for e in found["steps"]] == [False, True]
    assert (found["only_a"], found["only_b"]) == ([30], [40])
    assert found["overall"]["mean_diff"] == pytest.approx(6 / ITEMS)
    assert found["overall"]["n"] == ITEMS  # an item's steps are not more items
    assert [p["step"] for p in found["runs"]["a"]] == [10, 20, 30]


def test_p_values_are_corrected_over_the_steps(train, store):
    train("a", {10: 24, 20: 24})
    train("b", {10: 20, 20: 19})
    for entry in compare_runs(store, "a", "b")["tasks"]["birds"]["steps"]:
        assert entry["p_adjusted"] > entry["p_value"]


def test_runs_without_a_common_step_say_both_lists(train, store):
    train("a", {10: 20, 20: 30})
    train("b", {15: 20, 25: 30})
    with pytest.raises(NotComparable, match=r"no step in common: a has 10, 20, b has 15, 25"):
        compare_runs(store, "a", "b")
    register(store, Checkpoint("b.20", "openai", "gpt", {}, run="b", step=20))  # common, and not evaluated
    with pytest.raises(NotComparable, match=r"with a report on birds: a has 10, 20, b has 15, 25"):
        compare_runs(store, "a", "b")


def test_what_cannot_be_compared_is_refused(train, store):
    train("a", {10: 20})
    train("b", {10: 22})
    with pytest.raises(NotScored, match="pope"):
        compare_runs(store, "a", "b", ["pope"])
    with pytest.raises(UnknownRun, match="'c'"):
        compare_runs(store, "a", "c")
    with pytest.raises(NotComparable, match="name another"):
        compare_runs(store, "a", "a")


def test_the_page_and_the_json_are_written(train, store):
    train("a", {10: 20, 20: 34})
    train("b", {10: 20, 20: 22})
    data = compare_runs(store, "a", "b")
    written = write_run_comparison(store, data)
    assert written["page"].endswith("reports/a.curve.vs.b.html")
    page = store.read_file("reports", "a.curve.vs.b.html").decode()
    assert page.count("<svg") == 2
    assert "+30.0" in page
    stored = json.loads(store.read_file("reports", "a.curve.vs.b.json"))
    assert stored["tasks"]["birds"]["overall"]["mean_diff"] == pytest.approx(6 / ITEMS)
