"""What a task's items can show: from stored scores and from given variances."""

from __future__ import annotations

import math

import pytest

from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.power import NothingVaries, advice, given_variances, plan, stored_variances, two_cells
from tests.conftest import Reply


def numbered(request) -> int:
    return int(request.text.split()[1].rstrip("?"))


@pytest.fixture
def scored(bench, folder, rows):
    """`scored("a", right, task)`: a checkpoint that has the first `right` items right."""

    def score(key: str, right: int, task=None):
        task = task or folder.rows(rows(60)).task()
        bench.endpoint.answer = lambda request, number: Reply(text="yes" if numbered(request) < right else "no")
        bench.report(task, key=key, snapshot=key)
        return task

    return score


def test_variances_from_two_cells(scored, store):
    """15 of 60 differ: omega2 and noise together are the sample variance of the differences."""
    scored("a", 40)
    task = scored("b", 25)
    found = stored_variances(store, task, "a", "b")
    variance = 0.25 * 0.75 * 60 / 59
    assert found.planning["omega2"] == pytest.approx(variance)
    assert (found.n, found.split) == (60, False)
    made = plan("birds", 0.05, found)
    assert made.needed == math.ceil(((1.959964 + 0.841621) / 0.05) ** 2 * variance)
    assert made.detectable == pytest.approx((1.959964 + 0.841621) * math.sqrt(variance / 60), rel=1e-5)
    assert (made.samples, made.enough) == (None, False)
    assert advice(made) == f"60 items cannot see 5 points; it needs {made.needed} items"
    assert advice(plan("birds", 0.3, found)) == "60 items can see 30 points: 17 would do"


def test_samples_that_vary_can_take_the_place_of_items(bench, folder, rows, store):
    """Every item is right in every second answer of both: all variance is noise, which more samples remove."""
    task = folder.rows(rows(60)).task(repeats=2, generation_kwargs={"max_tokens": 8, "temperature": 0.7})
    for key in ("a", "b"):
        seen: dict[int, int] = {}

        def answer(request, number, seen=seen, key=key):
            item = numbered(request)
            seen[item] = seen.get(item, -1) + 1
            steady = item % 3 == 0 and key == "a"
            return Reply(text="yes" if steady or (seen[item] + item + (key == "b")) % 2 else "no")

        bench.endpoint.answer = answer
        bench.report(task, key=key, snapshot=key)
    found = stored_variances(store, task, "a", "b")
    assert found.split
    assert found.planning["k_a"] == found.planning["k_b"] == 2
    assert found.planning["var_b"] == pytest.approx(0.5)
    made = plan("birds", 0.15, found)
    assert made.samples is not None
    assert made.samples > 2
    assert f"or K = {made.samples} samples an item" in advice(made)


def test_a_ratio_is_planned_by_its_standard_error(bench, scored, folder, rows, store):
    from eval_assets.pipeline.comparing import compare_cells

    data = [{**row, "answer": "yes" if i % 2 else "no"} for i, row in enumerate(rows(60))]
    task = folder.rows(data).task(judge="yes_no", metric_list=["f1"])
    scored("a", 40, task)
    scored("b", 25, task)
    found = stored_variances(store, task, "a", "b")
    se = compare_cells(store, task, "a", "b")[0]["se"]
    assert plan("birds", 0.1, found).detectable == pytest.approx((1.959964 + 0.841621) * se, rel=1e-5)


def test_given_variances_need_no_cells(store, folder, rows):
    """Miller's example: a third of disagreement, 969 items for 3 points; 3876 with one noisy answer each."""
    task = folder.rows(rows(3)).task()
    assert plan("birds", 0.03, given_variances(store, task, 969, omega2=1 / 9)).enough
    noisy = given_variances(store, task, 1260, omega2=1 / 9, var_a=1 / 6, var_b=1 / 6)
    made = plan("birds", 0.03, noisy)
    assert (made.needed, made.samples) == (3876, 10)
    assert advice(made) == "1,260 items cannot see 3 points; it needs 3,876 items, or K = 10 samples an item"
    hopeless = plan("birds", 0.01, given_variances(store, task, 969, omega2=1 / 9, var_a=0.1, var_b=0.1))
    assert hopeless.samples is None
    assert advice(hopeless).endswith("; more samples an item cannot take their place")
    with pytest.raises(NotScored, match="birds is not in the store: `evals ingest birds`, or say --items"):
        given_variances(store, task, omega2=1 / 9)


def test_bad_input_is_told(scored, store, folder):
    task = scored("a", 40)
    with pytest.raises(NotScored, match=r"only a is scored on birds.*--omega2"):
        two_cells(store, "birds", None)
    with pytest.raises(NotScored, match="no checkpoint is scored on owls"):
        two_cells(store, "owls", None)
    scored("same", 40)
    with pytest.raises(NothingVaries, match="a against same, accuracy: the difference is the same on every item"):
        stored_variances(store, task, "a", "same")
    with pytest.raises(ValueError, match="effect is a difference above 0"):
        plan("birds", 0, given_variances(store, task, 9, omega2=1))


def test_one_cluster_plans_nothing(scored, store, folder, rows):
    task = folder.rows(rows(60, scene="one")).task(cluster_key="scene")
    scored("a", 40, task)
    scored("b", 20, task)
    with pytest.raises(NothingVaries, match="all items are in one cluster"):
        stored_variances(store, task, "a", "b")


def test_the_baseline_is_the_other_side_where_it_is_scored(scored, store):
    for key, right in (("base", 10), ("old", 20), ("new", 30)):
        scored(key, right)
    assert two_cells(store, "birds", None) == ("new", "old")
    assert two_cells(store, "birds", "base") == ("new", "base")
    assert two_cells(store, "birds", "new") == ("old", "new")
    assert two_cells(store, "birds", "nobody") == ("new", "old")
