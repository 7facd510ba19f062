"""What a cell says: estimates, coverage, bounds, breakdowns."""

from __future__ import annotations

import json
import math

import pytest

from eval_assets import results
from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.comparing import compare_cells
from eval_assets.pipeline.files import clean
from eval_assets.pipeline.item_scores import NotScored, load_item_scores
from eval_assets.pipeline.metrics import UnknownMetric
from resources.store.records import summary
from tests.conftest import Reply
from tests.pipeline.answering import numbered, some_right


def test_the_report_has_its_shape_and_its_numbers(bench, folder, rows, store, endpoint):
    """10 items in 5 pairs by scene, 6 right; a mean's standard error over the clusters, by hand."""
    right = {0, 1, 2, 4, 6, 8}
    endpoint.answer = some_right(*right)
    data = [{**row, "scene": f"s{i // 2}", "kind": "owl" if i < 4 else "tit"} for i, row in enumerate(rows(10))]
    task = folder.rows(data).task(cluster_key="scene", report_by=["kind"], metric_list=["accuracy"])
    report = bench.report(task)
    assert (report["checkpoint"], report["task"], report["primary"]) == ("m", "birds", "accuracy")
    found = report["metrics"]["accuracy"]
    assert {"value", "se", "ci_low", "ci_high", "n", "n_clusters", "coverage"} <= set(found)
    assert (found["value"], found["n"], found["n_clusters"], found["coverage"]) == (0.6, 10, 5, 1.0)
    sums = [sum((i in right) - 0.6 for i in (2 * c, 2 * c + 1)) for c in range(5)]
    assert found["se"] == pytest.approx(math.sqrt(5 / 4 * sum(s * s for s in sums)) / 10)
    assert found["ci_low"] < 0.6 < found["ci_high"]
    assert {kind: part["accuracy"]["value"] for kind, part in report["by"]["kind"].items()} == {
        "owl": 0.75,
        "tit": 0.5,
    }
    assert report["by"]["kind"]["owl"]["accuracy"]["n_clusters"] == 2
    assert report["clusters"] == "scene"
    stored = results.report("m", "birds", store=store)
    assert stored["metrics"]["accuracy"]["value"] == 0.6
    assert json.loads(json.dumps(clean(report))) == stored


def test_what_is_unscored_lowers_coverage_and_not_the_score(bench, folder, rows, endpoint):
    endpoint.answer = some_right(0, 1)
    data = rows(8)
    for row in data[4:6]:
        row["answer"] = None
    report = bench.report(folder.rows(data).task())
    metric = next(iter(report["metrics"].values()))
    assert metric["value"] == pytest.approx(2 / 6)
    assert (metric["n"], metric["coverage"]) == (6, 0.75)
    assert (report["coverage"], report["n_items"], report["n_scored"]) == (0.75, 8, 6)
    assert report["unscored"] == {"missing label": 2}
    assert report["bounds"] == {"all_wrong": pytest.approx(2 / 8), "all_right": pytest.approx(4 / 8)}


def test_nothing_scored_is_unknown_and_not_zero(bench, folder, rows, store):
    report = bench.report(folder.rows([{**row, "answer": None} for row in rows(3)]).task())
    metric = next(iter(report["metrics"].values()))
    assert math.isnan(metric["value"])
    assert report["coverage"] == 0
    text = store.read_file("reports", "birds", "m.json").decode()
    assert "NaN" not in text
    assert json.loads(text)["metrics"]["accuracy"]["value"] is None
    assert summary(store).rows()[0]["coverage"] == 0


def test_samples_of_an_item_are_averaged_first(bench, folder, rows, endpoint):
    """Item 0: one of two right; item 1: one right, one unscored; item 2: none right."""
    script = {(0, 0): "yes", (0, 1): "no", (1, 0): "yes", (2, 0): "no", (2, 1): "no"}
    seen: dict[int, int] = {}

    def answer(request, number):
        item = numbered(request)
        sample = seen[item] = seen.get(item, -1) + 1
        text = script.get((item, sample))
        return Reply(text=text) if text else Reply(text="maximum context length", status=400)

    endpoint.answer = answer
    report = bench.report(folder.rows(rows(3)).task(repeats=2), concurrency=1)
    metric = next(iter(report["metrics"].values()))
    assert metric["value"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert (metric["n"], report["n_samples"], report["n_scored"]) == (3, 6, 5)
    assert metric["coverage"] == pytest.approx(5 / 6)
    share = report["bounds"]
    assert (share["all_wrong"], share["all_right"]) == (pytest.approx(2 / 6), pytest.approx(3 / 6))


def test_macro_over_is_the_plain_mean_of_the_categories(bench, folder, rows, endpoint):
    endpoint.answer = some_right(0, 8)
    kinds = ["owl", "owl", *["tit"] * 6, None, None]
    data = [{**row, "kind": kind} for row, kind in zip(rows(10), kinds, strict=True)]
    metrics = [{"metric": "accuracy", "name": "macro", "macro_over": "kind"}, "accuracy"]
    report = bench.report(folder.rows(data).task(report_by=["kind"], metric_list=metrics))
    assert report["primary"] == "macro"
    assert report["metrics"]["macro"]["value"] == pytest.approx((1 / 2 + 0 / 6) / 2)
    assert report["metrics"]["accuracy"]["value"] == pytest.approx(0.2)
    assert list(report["by"]["kind"]) == ["owl", "tit"]
    assert list(report["by"]["kind"]["owl"]) == ["accuracy"]


@pytest.mark.parametrize("metric", ["accuracy", "f1"])
def test_a_macro_mean_over_no_category_at_all_is_unknown(bench, folder, rows, store, metric):
    metrics = [{"metric": metric, "macro_over": "kind"}]
    task = folder.rows(rows(3, kind=None)).task(judge="yes_no", report_by=["kind"], metric_list=metrics)
    report = bench.report(task)
    bench.report(task, key="b")
    assert math.isnan(report["metrics"][metric]["value"])
    assert report["by"]["kind"] == {}
    assert math.isnan(compare_cells(store, task, "m", "b")[0]["mean_diff"])


def test_a_ratio_is_of_sums_and_not_a_mean_of_ratios(bench, folder, rows, endpoint):
    endpoint.answer = some_right(0, 1, 4)  # says yes to 0, 1, 4; yes is right for 0, 1, 2
    data = [{**row, "answer": "yes" if i < 3 else "no"} for i, row in enumerate(rows(6))]
    metrics = ["accuracy", "f1", "precision", "recall", "yes_ratio"]
    report = bench.report(folder.rows(data).task(judge="yes_no", metric_list=metrics))
    values = {name: metric["value"] for name, metric in report["metrics"].items()}
    assert values == {
        "accuracy": pytest.approx(4 / 6),
        "f1": pytest.approx(2 * 2 / (2 * 2 + 1 + 1)),
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "yes_ratio": pytest.approx(3 / 6),
    }
    assert math.isnan(report["bounds"]["all_wrong"]) == (report["primary"] != "accuracy")


def test_a_metric_that_the_judge_does_not_offer_is_told(bench, folder, rows):
    task = folder.rows(rows(2)).task(metric_list=["accuracy"])
    broken = task.model_copy(update={"metric_list": (task.metric_list[0].model_copy(update={"metric": "bleu"}),)})
    with pytest.raises(UnknownMetric, match="'exact' offers accuracy, not 'bleu'"):
        bench.report(broken)


def test_items_on_one_picture_are_one_cluster(bench, folder, rows):
    data = [{**row, "image": folder.picture(f"{i % 3}.png", i % 3)} for i, row in enumerate(rows(12))]
    data.append({"id": "0", "question": "Question 99?", "answer": "yes", "image": None})
    report = bench.report(folder.rows(data).task(doc_to_visual="image"))
    assert next(iter(report["metrics"].values()))["n_clusters"] == 4
    assert report["clusters"].startswith("shared media")


def test_an_item_without_a_cluster_joins_none_that_is_called_like_it(bench, folder, rows, store):
    data = [{**row, "scene": scene} for row, scene in zip(rows(3), ["q2", "q2", None], strict=True)]
    bench.scored(folder.rows(data).task(cluster_key="scene"))
    clusters = load_item_scores(store, "m", "birds").clusters
    assert clusters is not None
    assert len(set(clusters)) == 2


def test_a_variant_reports_under_its_own_name_and_never_in_the_summary(bench, folder, rows, store, endpoint):
    endpoint.answer = some_right(0, 1)
    task = folder.rows(rows(4)).task()
    bench.report(task, Variant(limit=2))
    assert summary(store).rows() == []
    with pytest.raises(NotScored, match="evals run --checkpoint m --tasks birds"):
        results.report("m", "birds", store=store)
    bench.report(task)
    assert [row["value"] for row in summary(store).rows()] == [0.5]
    assert results.report("m", "birds", store=store)["metrics"]["accuracy"]["value"] == 0.5
    assert results.report("m", "birds", "limit=2", store=store)["metrics"]["accuracy"]["value"] == 1.0


def test_stored_results_are_read_back_item_by_item(bench, folder, rows, store, endpoint, monkeypatch):
    endpoint.answer = some_right(0, 2)
    data = rows(4)
    data[3]["answer"] = None
    bench.report(folder.rows(data).task(repeats=2))
    monkeypatch.setenv("EVAL_TASK_PATH", str(folder.path))
    table = results.outputs("m", "birds", store=store)
    assert table["item_id"].to_pylist() == ["q0", "q0", "q1", "q1", "q2", "q2", "q3", "q3"]
    assert table["text"].to_pylist() == ["yes", "yes", "no", "no", "yes", "yes", "no", "no"]
    assert results.scores("m", "birds", store=store)["score"].to_pylist() == [1, 1, 0, 0, 1, 1, None, None]
    wrong = results.items("m", "birds", wrong=True, store=store)
    assert [(i["item_id"], i["sample"], i["question"], i["text"]) for i in wrong] == [
        ("q1", 0, "Question 1?", "no"),
        ("q1", 1, "Question 1?", "no"),
    ]
    assert {i["item_id"] for i in results.items("m", "birds", unscored=True, store=store)} == {"q3"}
    assert len(results.items("m", "birds", limit=3, store=store)) == 3


def test_every_metric_has_bounds_where_they_can_be_said(bench, folder, rows, endpoint):
    endpoint.answer = some_right(0, 1)
    data = [{**row, "kind": "owl" if i < 4 else "tit"} for i, row in enumerate(rows(8))]
    for row in (data[3], data[7]):
        row["answer"] = None
    metrics = ["accuracy", "f1", {"metric": "accuracy", "name": "macro", "macro_over": "kind"}]
    report = bench.report(folder.rows(data).task(judge="yes_no", report_by=["kind"], metric_list=metrics))
    ends = {name: (m["lowest"], m["highest"]) for name, m in report["metrics"].items()}
    assert ends["accuracy"] == (pytest.approx(2 / 8), pytest.approx(4 / 8))
    assert ends["macro"] == (pytest.approx((2 / 4 + 0) / 2), pytest.approx((3 / 4 + 1 / 4) / 2))
    assert all(math.isnan(x) for x in ends["f1"])
    owl = report["by"]["kind"]["owl"]["accuracy"]
    assert (owl["lowest"], owl["highest"]) == (2 / 4, 3 / 4)
