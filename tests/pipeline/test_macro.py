"""Averages over tasks, whose items may stand on the same pictures."""

from __future__ import annotations

import pytest

from eval_assets.pipeline.checkpoint_report import checkpoint_data
from eval_assets.pipeline.macro import macro_average, macro_difference
from eval_assets.settings import Settings
from stats import mean_estimate, paired_difference
from tests.conftest import Reply, TaskFolder


def say(right):
    return lambda request, number: Reply(text="yes" if int(request.text.split()[1].rstrip("?")) in right else "no")


@pytest.fixture
def two(bench, tmp_path, rows, monkeypatch):
    """Tasks `owls` and `tits` of 20 items each, on the same 20 pictures or each on its own."""

    def make(shared: bool, **changes):
        found = []
        for name, offset in (("owls", 0), ("tits", 0 if shared else 100)):
            folder = TaskFolder(tmp_path / "tasks" / name, name)
            data = [{**r, "image": folder.picture(f"{i}.png", i + offset)} for i, r in enumerate(rows(20))]
            found.append(folder.rows(data).task(doc_to_visual="image", **changes))
        monkeypatch.setenv("EVAL_TASK_PATH", str(tmp_path / "tasks"))
        for key, right in (("a", range(12)), ("b", range(6))):
            for task in found:
                bench.endpoint.answer = say(right)
                bench.report(task, key=key, snapshot=key)
        return found

    return make


def test_pictures_of_two_tasks_are_counted_once(two, store):
    """The same answers twice on the same pictures say no more than once; on other pictures they do."""
    tasks = two(shared=True)
    found = macro_average(store, "a", tasks)
    assert found is not None
    once = mean_estimate([1.0] * 12 + [0.0] * 8)
    assert (found["value"], found["n"], found["n_clusters"]) == (pytest.approx(0.6), 40, 20)
    assert found["se"] == pytest.approx(once.se)
    assert found["over"] == ["owls", "tits"]
    difference = macro_difference(store, "a", "b", tasks)
    assert difference is not None
    paired = paired_difference([1.0] * 12 + [0.0] * 8, [1.0] * 6 + [0.0] * 14)
    assert difference["mean_diff"] == pytest.approx(0.3)
    assert difference["se"] == pytest.approx(paired.se)
    assert difference["quote"].startswith("+30.0 points vs b, 95 % CI ")


def test_pictures_of_their_own_are_apart(two, store):
    found = macro_average(store, "a", two(shared=False))
    assert found is not None
    assert found["n_clusters"] == 40
    assert found["se"] == pytest.approx(mean_estimate([1.0] * 12 + [0.0] * 8).se / 2**0.5)


def test_fields_and_pictures_tie_items_together(two, store):
    """Scenes of two pictures each, in both tasks: 10 clusters, neither 20 (pictures alone, or scenes of each task)."""
    found = macro_average(store, "a", two(shared=True, cluster_key="{{ id[1:] | int // 2 }}"))
    assert found is not None
    assert (found["n"], found["n_clusters"]) == (40, 10)


def test_tasks_weigh_alike_whatever_their_size(bench, tmp_path, rows, store):
    tasks = [TaskFolder(tmp_path / n, n).rows(rows(count)).task() for n, count in (("owls", 10), ("tits", 40))]
    bench.endpoint.answer = say(range(10))
    for task in tasks:
        bench.report(task)
    found = macro_average(store, "m", tasks)
    assert found is not None
    assert found["value"] == pytest.approx((1 + 10 / 40) / 2)
    assert macro_average(store, "m", tasks[:1]) is None


def test_an_error_rate_is_in_no_average_with_scores(bench, tmp_path, rows, store):
    error = [{"metric": "accuracy", "name": "error", "higher_is_better": False}]
    fields = [("owls", None), ("tits", None), ("errors", error)]
    tasks = [TaskFolder(tmp_path / n, n).rows(rows(6)).task(metric_list=m) for n, m in fields]
    for task in tasks:
        bench.report(task)
    found = macro_average(store, "m", tasks)
    assert found is not None
    assert (found["over"], found["left_out"]) == (["owls", "tits"], ["errors"])


def test_a_baseline_of_other_items_is_left_out_and_said(bench, two, tmp_path, rows, store):
    tasks = two(shared=True)
    folder = TaskFolder(tmp_path / "tasks" / "tits", "tits")
    longer = [{**r, "image": f"{i % 20}.png"} for i, r in enumerate(rows(25))]
    task = folder.rows(longer).task(doc_to_visual="image")
    bench.endpoint.answer = say(range(12))
    bench.report(task, key="a", snapshot="a")
    data = checkpoint_data(store, "a", Settings(baseline="b"))
    why = data["absent"]["tits"]["baseline"]
    assert "5 items are on the first side only, 0 on the second only ('q20', 'q21', 'q22', 'q23', 'q24')" in why
    assert "evals run --checkpoint b --tasks tits" in why
    assert [e["task"] for e in data["comparisons"]["baseline"]] == ["owls"]
    states = {row["check"]: row["state"] for row in data["gates"]["tits"]}
    assert states["no_worse_than_baseline"] == "inconclusive"
    assert tasks[0].task == "owls"


def test_holms_family_is_the_suite(two, store):
    from resources.models.checkpoint import Checkpoint
    from resources.store.records import checkpoints

    two(shared=True)
    alone = checkpoint_data(store, "a", Settings(baseline="b"))["comparisons"]["baseline"]
    assert [e["p_adjusted"] for e in alone] == [pytest.approx(2 * e["p_value"]) for e in alone]
    record = checkpoints(store).get(checkpoint="a")
    checkpoints(store).upsert([{**record, "suite": "quick"}])
    assert Checkpoint.from_record(checkpoints(store).get(checkpoint="a")).suite == "quick"
    data = checkpoint_data(store, "a", Settings(baseline="b", suites={"quick": ("owls",)}))
    assert {e["task"]: e["p_adjusted"] for e in data["comparisons"]["baseline"]} == {
        "owls": pytest.approx(alone[0]["p_value"]), "tits": pytest.approx(alone[1]["p_value"])
    }  # fmt: skip
    assert data["macro"]["score"] is None, "one task is no average"
