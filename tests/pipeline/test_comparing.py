"""Two cells item by item."""

from __future__ import annotations

import math

import pytest

from eval_assets.compare import paired_comparison
from eval_assets.pipeline.comparing import NotComparable, compare_cells, sentence
from eval_assets.pipeline.item_scores import NotScored
from tests.conftest import Reply
from tests.pipeline.answering import numbered, some_right


def both(bench, task, right_a, right_b) -> None:
    for key, right in (("a", right_a), ("b", right_b)):
        bench.endpoint.answer = some_right(*right)
        bench.report(task, key=key, snapshot=key)


def test_a_comparison_pairs_items_and_counts_those_of_one_side_only(bench, folder, rows, store):
    task = folder.rows(rows(6)).task()
    bench.endpoint.answer = some_right(0, 1, 2, 3)
    bench.report(task, key="a", snapshot="a")
    shorter = folder.rows(rows(7)[1:][::-1]).task()
    bench.endpoint.answer = some_right(1, 2)
    bench.report(shorter, key="b", snapshot="b")
    entry = compare_cells(store, task, "a", "b")[0]
    assert (entry["n"], entry["only_a"], entry["only_b"]) == (5, 1, 1)
    assert entry["mean_diff"] == pytest.approx(1 / 5)
    assert (entry["a"], entry["b"], entry["task"], entry["metric"]) == ("a", "b", "birds", "accuracy")
    assert entry["ci_low"] < entry["mean_diff"] < entry["ci_high"]
    assert 0 < entry["p_value"] <= 1
    assert sentence(entry) == ("a on birds, accuracy: +20.0 points vs b, 95 % CI −35.5 to +75.5, p = 0.374, 5 items")
    back = compare_cells(store, task, "b", "a")[0]
    assert back["mean_diff"] == pytest.approx(-entry["mean_diff"])


@pytest.mark.parametrize("change", ["question", "label"])
def test_items_with_another_question_or_label_are_refused_by_name(bench, folder, rows, store, change):
    data = rows(4)
    task = folder.rows(data).task()
    bench.report(task, key="a")
    data[2]["question" if change == "question" else "answer"] = "Question 99?"
    bench.report(folder.rows(data).task(), key="b")
    with pytest.raises(NotComparable, match=r"1 items have the same id but another question or label \('q2'\)"):
        compare_cells(store, task, "a", "b")


def test_nothing_in_common_and_nothing_scored_are_told(bench, folder, rows, store):
    task = folder.rows(rows(2)).task()
    bench.report(task, key="a")
    with pytest.raises(NotScored, match="b on birds has no scores yet"):
        compare_cells(store, task, "a", "b")
    bench.report(folder.rows([{**row, "id": row["id"] + "x"} for row in rows(2)]).task(), key="b")
    with pytest.raises(NotComparable, match="no item in common"):
        compare_cells(store, task, "a", "b")


def test_unscored_on_one_side_leaves_the_pair_out(bench, folder, rows, store, endpoint):
    task = folder.rows(rows(6)).task()
    endpoint.answer = some_right(*range(6))
    bench.report(task, key="a", snapshot="a")
    endpoint.answer = lambda request, number: (
        Reply(text="maximum context length", status=400) if numbered(request) == 0 else Reply(text="no")
    )
    bench.report(task, key="b", snapshot="b")
    entry = compare_cells(store, task, "a", "b")[0]
    assert (entry["n"], entry["mean_diff"], entry["only_a"]) == (5, 1.0, 0)


def test_several_tasks_are_one_family_for_holm(bench, tmp_path, rows, store, monkeypatch):
    from tests.conftest import TaskFolder

    chances = {"one": range(9), "two": range(20), "three": range(3)}
    for name, right in chances.items():
        both(bench, TaskFolder(tmp_path / "tasks" / name, name).rows(rows(40)).task(), right, [])
    monkeypatch.setenv("EVAL_TASK_PATH", str(tmp_path / "tasks"))
    found = {entry["task"]: entry for entry in paired_comparison("a", "b", store=store)}
    assert set(found) == set(chances)
    by_p = sorted(found.values(), key=lambda e: e["p_value"])
    expected = 0.0
    for rank, entry in enumerate(by_p):
        expected = max(expected, min(1.0, (3 - rank) * entry["p_value"]))
        assert entry["p_adjusted"] == pytest.approx(expected)
    alone = paired_comparison("a", "b", [by_p[1]["task"]], store=store)[0]
    assert alone["p_adjusted"] == pytest.approx(alone["p_value"])
    assert by_p[1]["p_adjusted"] == pytest.approx(2 * alone["p_value"])
    with pytest.raises(NotScored, match="no task on which both"):
        paired_comparison("a", "nobody", store=store)


def test_the_seeds_call_and_a_margin(bench, folder, rows, store, monkeypatch):
    """40 items, 30 against 29 right: not worse by 10 points, and no more is claimed than the data hold."""
    task = folder.rows(rows(40)).task(metric_list=["accuracy"])
    both(bench, task, range(30), [*range(29)])
    monkeypatch.setenv("EVAL_TASK_PATH", str(folder.path))
    (entry,) = paired_comparison(model_a="a", model_b="b", tasks=["birds"], margin=0.1, store=store)
    assert entry["mean_diff"] == pytest.approx(1 / 40)
    assert entry["ci_low"] < entry["mean_diff"] < entry["ci_high"]
    assert entry["quote"].startswith("+2.5 points vs b, 95 % CI ")
    assert entry["p_noninferior"] < 0.001
    assert 0.001 < entry["p_equivalent"] < 0.05
    (back,) = paired_comparison(model_a="b", model_b="a", tasks=["birds"], margin=0.1, store=store)
    assert (back["p_noninferior"], back["p_equivalent"]) == (entry["p_equivalent"], entry["p_equivalent"])
    with pytest.raises(ValueError, match="a fraction of 1 without a sign"):
        paired_comparison(model_a="a", model_b="b", tasks=["birds"], margin=-0.1, store=store)


def test_where_less_is_better_not_worse_means_not_more(bench, folder, rows, store):
    metrics = [{"metric": "accuracy", "name": "error", "higher_is_better": False}]
    task = folder.rows(rows(40)).task(metric_list=metrics)
    both(bench, task, range(20), range(10))  # a has more of what is bad
    entry = compare_cells(store, task, "a", "b", margin=0.02)[0]
    assert entry["mean_diff"] == 0.25
    assert entry["p_noninferior"] > 0.99
    assert compare_cells(store, task, "b", "a", margin=0.02)[0]["p_noninferior"] < 0.01


def test_a_comparison_says_what_so_many_items_show(bench, folder, rows, store):
    """By hand: d has variance 0.25 * 40/39 * 3/4 on 40 independent items."""
    task = folder.rows(rows(40)).task()
    both(bench, task, range(20), range(10))
    entry = compare_cells(store, task, "a", "b")[0]
    variance = 0.25 * 0.75 * 40 / 39
    assert entry["detectable"] == pytest.approx((1.959964 + 0.841621) * math.sqrt(variance / 40), rel=1e-5)
    bench.endpoint.answer = some_right(*range(20))
    bench.report(task, key="c", snapshot="c")
    same = compare_cells(store, task, "a", "c")[0]
    assert (same["mean_diff"], same["planning"]) == (0, None)
    assert math.isnan(same["detectable"]), "what does not vary tells nothing of other models"


def test_one_cluster_has_no_interval_and_says_so(bench, folder, rows, store):
    task = folder.rows(rows(6, scene="one")).task(cluster_key="scene")
    both(bench, task, range(4), range(2))
    entry = compare_cells(store, task, "a", "b")[0]
    assert entry["quote"].startswith("+33.3 points vs b, CI n/a, p n/a, 6 items in 1 cluster: ")
    assert "cluster" in entry["quote"].split(": ", 1)[1]
