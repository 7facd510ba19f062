"""Metrics whose unit is a group of items (`worst_over`), averages inside averages, and metrics of the whole corpus."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.comparing import compare_cells
from eval_assets.pipeline.item_scores import ItemScores, load_item_scores
from eval_assets.pipeline.metrics import TaskMetric, UnknownMetric, bounds, difference, estimate
from eval_assets.pipeline.run_scores import RunScores, arrays_of
from eval_assets.pipeline.units import units_of
from judges import Metric
from stats import mean_estimate, simultaneous_band
from tests.conftest import Reply

PLUS = {"metric": "accuracy", "name": "plus", "worst_over": "picture"}


def numbered(request) -> int:
    return int(request.text.split()[1].rstrip("?"))


def some_right(*right: int):
    return lambda request, number: Reply(text="yes" if numbered(request) in right else "no")


def test_a_group_is_right_where_all_of_it_is(bench, folder, rows, endpoint):
    """Questions in pairs on a picture, pictures in pairs by scene: the unit is the picture, the cluster the scene."""
    endpoint.answer = some_right(0, 1, 2, 4, 5, 6, 7, 10)
    data = [{**row, "picture": f"p{i // 2}", "scene": f"s{i // 4}"} for i, row in enumerate(rows(12))]
    task = folder.rows(data).task(cluster_key="scene", metric_list=["accuracy", PLUS])
    report = bench.report(task)
    plus, known = report["metrics"]["plus"], mean_estimate([1, 0, 1, 1, 0, 0], [0, 0, 1, 1, 2, 2])
    assert (plus["value"], plus["n"], plus["n_clusters"]) == (3 / 6, 6, 3)
    assert plus["se"] == pytest.approx(known.se)
    assert plus["aggregation"] == "mean of the worst in each picture"
    assert (plus["coverage"], plus["lowest"], plus["highest"]) == (1.0, 0.5, 0.5)
    assert report["metrics"]["accuracy"]["value"] == 8 / 12
    assert report["by"] == {}  # a group is no category


def test_groups_that_touch_a_cluster_are_one(bench, folder, rows, endpoint):
    """Group p1 has an item of scene a and one of scene b: the two scenes are one cluster of the metric."""
    endpoint.answer = some_right(0, 1, 2)
    scenes, pictures = "aabbcc", ["p0", "p1", "p0", "p1", "p2", "p2"]
    data = [{**row, "picture": p, "scene": s} for row, p, s in zip(rows(6), pictures, scenes, strict=True)]
    task = folder.rows(data).task(cluster_key="scene", metric_list=[PLUS])
    found = bench.report(task)["metrics"]["plus"]
    assert (found["value"], found["n"], found["n_clusters"]) == (pytest.approx(1 / 3), 3, 2)


def test_categories_hold_whole_groups_only(bench, folder, rows, endpoint):
    endpoint.answer = some_right(0, 1, 2, 3, 6, 7)
    pictures, kinds = ["a", "a", "b", "b", "c", "c", "d", "d"], ["x", "x", "x", "x", "y", "y", "x", "y"]
    data = [{**row, "picture": p, "kind": k} for row, p, k in zip(rows(8), pictures, kinds, strict=True)]
    task = folder.rows(data).task(report_by=["kind"], metric_list=[PLUS])
    report = bench.report(task)
    assert report["metrics"]["plus"]["value"] == 3 / 4
    by = {kind: (found["plus"]["value"], found["plus"]["n"]) for kind, found in report["by"]["kind"].items()}
    assert by == {"x": (1.0, 2), "y": (0.0, 1)}  # picture d lies in both
    only = folder.rows([{**row, "kind": "xy"[i % 2]} for i, row in enumerate(data[:7])])
    report = bench.report(only.task(report_by=["kind"], metric_list=["accuracy", PLUS]))
    by = report["by"]["kind"]
    assert [sorted(by[kind]) for kind in "xy"] == [["accuracy", "plus"]] * 2
    assert by["x"]["plus"]["n"] == 1  # the seventh item is the only one of its picture
    assert math.isnan(by["y"]["plus"]["value"])


def test_with_macro_over_groups_lie_inside_a_category(bench, folder, rows, endpoint):
    """MME's pictures have one name in two categories."""
    endpoint.answer = some_right(0, 1, 2, 4, 5)
    data = [{**row, "picture": "p", "kind": "x" if i < 2 else "y"} for i, row in enumerate(rows(4))]
    data += [{**row, "id": f"r{i}", "picture": "q", "kind": "y"} for i, row in enumerate(rows(6)[4:])]
    task = folder.rows(data).task(report_by=["kind"], metric_list=[{**PLUS, "macro_over": "kind"}])
    found = bench.report(task)["metrics"]["plus"]
    assert found["value"] == pytest.approx((1 + (0 + 1) / 2) / 2)
    assert found["aggregation"] == "mean of the worst in each picture, macro over kind"


def test_samples_are_runs_and_the_worst_is_found_in_each(bench, folder, rows, endpoint):
    """Two items, each right in one of two samples, but never both at once: 0, and not the lower of two halves."""

    def reply(request, number):
        first = request.body["seed"] % 2 == 0
        return Reply(text="yes" if first == (numbered(request) == 0) else "no")

    endpoint.answer = reply
    data = [{**row, "picture": "p"} for row in rows(2)]
    kwargs = {"max_tokens": 8, "temperature": 0.7, "seed": 10}
    task = folder.rows(data).task(repeats=2, generation_kwargs=kwargs, metric_list=["accuracy", PLUS])
    report = bench.report(task)
    assert report["metrics"]["accuracy"]["value"] == 0.5
    assert report["metrics"]["plus"]["value"] == 0.0


def test_a_group_with_an_unscored_member_is_unscored_and_bounded(bench, folder, rows, endpoint):
    """Of the pairs right-lost, wrong-lost and right-right only the last is scored; the second cannot be right."""
    endpoint.answer = some_right(0, 4, 5)
    data = [{**row, "picture": f"p{i // 2}"} for i, row in enumerate(rows(6))]
    data[1]["answer"] = data[3]["answer"] = None
    task = folder.rows(data).task(metric_list=[PLUS])
    found = bench.report(task)["metrics"]["plus"]
    assert (found["value"], found["n"], found["coverage"]) == (1.0, 1, pytest.approx(1 / 3))
    assert (found["lowest"], found["highest"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def scores_of(values: np.ndarray, groups: np.ndarray) -> ItemScores:
    """Items with these scores (NaN unscored), each a cluster of its own."""
    n = len(values)
    scored = (~np.isnan(values)).astype(int)
    return ItemScores(
        np.arange(n).astype(object), np.zeros(n, np.uint64), None, {"score": values}, {}, np.ones(n, int), scored,
        {"g": groups}, {"score": values[:, None]},
    )  # fmt: skip


def test_losing_answers_at_random_does_not_bend_the_mean():
    """Half of 40 000 pairs are all right. Counting damaged pairs whose other answer is wrong would say 42 %."""
    rng = np.random.default_rng(1)
    right = np.repeat(rng.random(40_000) < 0.5, 2) | (rng.random(80_000) < 0.0)
    right = np.where(np.repeat(right[::2], 2), 1.0, np.tile([0.0, 1.0], 40_000))
    kept = np.where(rng.random(80_000) < 0.3, np.nan, right)
    metric = TaskMetric("plus", Metric("accuracy"), worst_over="g")
    groups = np.arange(80_000) // 2
    whole, damaged = scores_of(right, groups), scores_of(kept, groups)
    truth = estimate(metric, whole).value
    assert estimate(metric, damaged).value == pytest.approx(truth, abs=0.012)  # 3 standard errors
    low, high = bounds(metric, damaged)
    assert low < truth < high
    worst = np.fmin.reduceat(kept, np.arange(0, 80_000, 2))
    known = np.isnan(kept).reshape(-1, 2).any(axis=1) & ~(worst == 0)
    assert worst[~known].mean() == pytest.approx(0.42, abs=0.012)  # the other rule
    # And its interval is what a mean over the pairs has.
    complete = ~np.isnan(kept).reshape(-1, 2).any(axis=1)
    assert estimate(metric, damaged).se == pytest.approx(mean_estimate(worst[complete]).se)


def test_two_models_are_compared_by_groups_that_both_answered_whole(bench, folder, rows, endpoint, store):
    data = [{**row, "picture": f"p{i // 2}"} for i, row in enumerate(rows(8))]
    task = folder.rows(data).task(metric_list=[PLUS])
    endpoint.answer = some_right(0, 1, 2, 3, 4)
    bench.report(task, key="a")
    endpoint.answer = some_right(0, 1, 5, 6, 7)
    bench.report(folder.rows(data[:7]).task(metric_list=[PLUS]), key="b", snapshot="b")
    # b never saw q7: picture p3 is a's alone, although both answered q6.
    task = folder.rows(data).task(metric_list=[PLUS])
    [found] = compare_cells(store, task, "a", "b")
    assert (found["n"], found["only_a"]) == (3, 1)
    assert found["mean_diff"] == pytest.approx((2 - 1) / 3)
    a, b = (load_item_scores(store, key, task.task) for key in "ab")
    plus = TaskMetric("plus", Metric("accuracy"), worst_over="picture")
    assert list(units_of(plus, a).of(a).values["score"]) == [1, 1, 0, 0]
    assert len(b.ids) == 7


def test_worst_over_needs_a_score_of_its_own(bench, folder, rows):
    task = folder.rows([{**row, "picture": "p"} for row in rows(2)]).task(
        judge={"name": "yes_no"}, metric_list=[{"metric": "f1", "worst_over": "picture"}]
    )
    with pytest.raises(UnknownMetric, match="worst_over goes with a mean"):
        bench.report(task)


def test_another_group_field_judges_anew_and_asks_nothing(bench, folder, rows, endpoint):
    data = [{**row, "picture": f"p{i // 2}", "room": f"r{i // 3}"} for i, row in enumerate(rows(6))]
    endpoint.answer = some_right(0, 1, 2)
    assert bench.report(folder.rows(data).task(metric_list=[PLUS]))["metrics"]["plus"]["n"] == 3
    asked = len(endpoint.seen)
    changed = folder.rows(data).task(metric_list=[{**PLUS, "worst_over": "room"}])
    assert bench.report(changed)["metrics"]["plus"]["value"] == 0.5
    assert len(endpoint.seen) == asked


def test_categories_inside_categories_weigh_alike_at_each_level(bench, folder, rows, endpoint):
    """Skill s has kinds x (1 of 2 right) and y (1 of 1), skill t has kind z (0 of 3)."""
    endpoint.answer = some_right(0, 2)
    kinds = [("s", "x"), ("s", "x"), ("s", "y"), ("t", "z"), ("t", "z"), ("t", "z")]
    data = [{**row, "skill": s, "kind": k} for row, (s, k) in zip(rows(6), kinds, strict=True)]
    nested = {"metric": "accuracy", "name": "overall", "macro_over": ["skill", "kind"]}
    task = folder.rows(data).task(report_by=["skill", "kind"], metric_list=[nested, "accuracy"])
    found = bench.report(task)["metrics"]["overall"]
    assert found["value"] == pytest.approx(((0.5 + 1) / 2 + 0) / 2)
    assert (found["lowest"], found["highest"]) == (pytest.approx(0.375), pytest.approx(0.375))
    assert found["aggregation"] == "mean, macro over skill and kind"


def test_bleu_of_a_cell_is_sacrebleus_of_the_corpus(bench, folder, rows, endpoint, store):
    """Of the whole corpus, not the mean of sentences; with an interval, in a category, and against another model."""
    from sacrebleu.metrics.bleu import BLEU

    said = ["the cat sat on the mat", "a dog runs over the green hill today", "it rains", "birds sing in the old tree"]
    truth = ["the cat sat on a mat", "a dog ran over the green hill", "it rains a lot", "birds sing in the old tree"]
    endpoint.answer = lambda request, number: Reply(text=said[numbered(request)])
    data = [{**row, "answer": t, "kind": "xy"[i // 2]} for i, (row, t) in enumerate(zip(rows(4), truth, strict=True))]
    task = folder.rows(data).task(judge="bleu", report_by=["kind"], metric_list=["bleu"])
    report = bench.report(task)
    found = report["metrics"]["bleu"]
    assert found["value"] == pytest.approx(BLEU().corpus_score(said, [truth]).score / 100)
    assert found["ci_low"] < found["value"] < found["ci_high"]
    assert math.isnan(found["lowest"])
    part = BLEU().corpus_score(said[2:], [truth[2:]]).score / 100
    assert report["by"]["kind"]["y"]["bleu"]["value"] == pytest.approx(part)
    endpoint.answer = lambda request, number: Reply(text=said[numbered(request)].replace("the", "this"))
    bench.report(task, key="worse", snapshot="b")
    [versus] = compare_cells(store, task, "m", "worse")
    assert versus["mean_diff"] > 0
    assert versus["ci_low"] == pytest.approx(versus["mean_diff"] * 2 - versus["ci_high"])


def test_macro_over_of_a_corpus_metric_and_the_difference_turned_round():
    rng = np.random.default_rng(4)
    n = 60
    values = {name: rng.integers(1, 9, n).astype(float) for name in ("score", "top", "bottom")}
    items = ItemScores(
        np.arange(n).astype(object), np.zeros(n, np.uint64), None, values,
        {"kind": np.array(["x", "y"], dtype=object)[np.arange(n) % 2]}, np.ones(n, int), np.ones(n, int),
    )  # fmt: skip
    errors = Metric("errors", corpus=lambda sums: sums[0] / sums[1], sums=("top", "bottom"), higher_is_better=False)
    metric = TaskMetric("errors", errors, ("kind",), higher_is_better=False)
    parts = [values["top"][k::2].sum() / values["bottom"][k::2].sum() for k in (0, 1)]
    assert estimate(metric, items).value == pytest.approx(np.mean(parts))
    same = difference(metric, items, items, margin=0.1)
    assert (same.mean_diff, same.p_value) == (0.0, 1.0)


def test_captions_are_weighed_by_all_items_of_the_data_set(bench, folder, rows, endpoint):
    """CIDEr of a part of the items is the mean of what these items score in the whole."""
    captions = [["a red bus on a street", "a bus drives by"], ["two dogs in snow", "dogs play in the snow"], ["a cat"]]
    endpoint.answer = lambda request, number: Reply(text=captions[numbered(request)][0])
    data = [{**row, "answer": c} for row, c in zip(rows(3), captions, strict=True)]
    task = folder.rows(data).task(judge="cider", metric_list=["cider"])
    whole = [row["score"] for row in bench.scored(task)]
    assert min(whole[:2]) > 4  # each caption is one of its references
    part = bench.report(task, Variant(limit=2))["metrics"]["cider"]
    assert part["value"] == pytest.approx(np.mean(whole[:2]))


def checkpoints_of(groups: int = 40) -> RunScores:
    """Three checkpoints on pairs of items: how often both are right grows from one to the next."""
    rng = np.random.default_rng(2)
    skill = np.repeat(rng.random(groups), 2)
    sides = {}
    for step, level in enumerate((0.3, 0.5, 0.8)):
        right = (rng.random(2 * groups) < level * (0.5 + skill / 2)).astype(float)
        sides[f"c{step}"] = replace(
            scores_of(right, np.arange(2 * groups) // 2),
            values={"score": right, "said": 1 + right, "all": right * 0 + 2},
        )
    return RunScores(sides["c0"], sides, {})


@pytest.mark.parametrize(
    "metric",
    [
        TaskMetric("plus", Metric("accuracy"), worst_over="g"),
        TaskMetric("corpus", Metric("f", corpus=lambda sums: (sums[0] / sums[1]) ** 2, sums=("said", "all"))),
    ],
    ids=["worst", "corpus"],
)
def test_a_curve_of_groups_and_of_a_corpus_agrees_with_the_pairwise_differences(metric):
    found = checkpoints_of()
    arrays = arrays_of(metric, found, found.scores)
    band = simultaneous_band(arrays.scores, **arrays.shared, seed=0, baseline="c0")
    for point in band.points:
        if point.checkpoint != "c0":
            pairwise = difference(metric, found.scores[point.checkpoint], found.scores["c0"])
            assert point.mean_diff == pytest.approx(pairwise.mean_diff, abs=1e-9)
            assert point.se == pytest.approx(pairwise.se, rel=0.1)
    assert estimate(metric, found.scores["c2"]).value == pytest.approx(np.mean(arrays.scores["c2"]))
