"""Every kind of metric in every place that shows one: what one of them cannot say it says in words."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from eval_assets.pipeline.blind import blind_comparison
from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.comparing import compare_cells
from eval_assets.pipeline.leaderboard import leaderboard_data
from eval_assets.pipeline.learning_curve import curve_data
from eval_assets.pipeline.macro import macro_average, macro_difference
from eval_assets.pipeline.metrics import UnknownMetric, task_metrics
from eval_assets.pipeline.power import plan, stored_variances
from eval_assets.pipeline.registering import register
from eval_assets.reporting.blind import blind_sentence
from eval_assets.settings import Settings
from judges import Metric, Verdict
from judges.exact import ExactJudge
from judges.registry import _JUDGES
from resources.models.checkpoint import Checkpoint
from tests.conftest import Reply, TaskFolder

ITEMS = 40


def squared(results: Sequence[str], without: Sequence[Sequence[int]] = ()) -> list[Any]:
    """100 times the square of the share right: no mean of the items."""
    values = [json.loads(text)["squared"] for text in results]

    def of(gone: set[int]) -> float:
        kept = [value for place, value in enumerate(values) if place not in gone]
        return 100 * (sum(kept) / len(kept)) ** 2

    return [of(set()), *(of(set(gone)) for gone in without)]


class SquaredJudge(ExactJudge):
    """Exact match, reported as a function of all results."""

    name: ClassVar[str] = "squared"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("squared", own_scale=None, aggregate=squared),)

    def judge_response(self, item: Any, response: Any) -> Verdict:
        verdict = super().judge_response(item, response)
        return replace(verdict, results=json.dumps({"squared": verdict.score}))


KINDS: dict[str, dict[str, Any]] = {
    "mean": {"judge": "yes_no", "metric_list": ["accuracy"]},
    "ratio": {"judge": "yes_no", "metric_list": ["f1"]},
    "corpus": {"judge": "yes_no", "metric_list": ["macro_f1"]},
    "macro": {"judge": "yes_no", "metric_list": [{"metric": "accuracy", "macro_over": ["half", "kind"]}]},
    "macro of ratios": {"judge": "yes_no", "metric_list": [{"metric": "precision", "macro_over": "half"}]},
    "macro of corpora": {"judge": "yes_no", "metric_list": [{"metric": "macro_f1", "macro_over": "half"}]},
    "worst": {"judge": "yes_no", "metric_list": [{"metric": "accuracy", "worst_over": "pair", "with_mean": True}]},
    "aggregate": {"judge": "squared", "metric_list": ["squared"]},
}
NO_PARTS = "aggregate"  # no item has a part in it: no band, no average with other tasks


@pytest.fixture
def two(bench, folder, rows, store, tmp_path, monkeypatch):
    """`two(kind)`: two checkpoints of a run on a task of this kind, and on another; the later one is better."""
    monkeypatch.setitem(_JUDGES, "squared", (__name__, "SquaredJudge"))
    monkeypatch.setenv("EVAL_TASK_PATH", str(tmp_path))
    data = [
        {**row, "question": f"Question {i}?", "answer": "yes" if i % 2 else "no",
         "half": "ab"[i % 4 // 2], "kind": "xyz"[i % 3], "pair": str(i // 2), "image": "a.png"}
        for i, row in enumerate(rows(ITEMS))
    ]  # fmt: skip
    other = TaskFolder(tmp_path / "others", "owls").rows(data)
    folder.rows(data).picture("a.png", 1)

    def made(kind: str):
        task = folder.task(report_by=["half", "kind"], doc_to_visual="image", cluster_key="id", **KINDS[kind])
        plain = other.task(judge="yes_no", metric_list=["accuracy"])
        for step, wrong in ((10, 3), (20, 7)):
            key = f"run.{step}"
            register(
                store,
                Checkpoint(
                    key, "openai", "gpt", bench.endpoint.args(max_retries=0, snapshot=key), run="run", step=step
                ),
            )

            def answer(request, number, wrong=wrong):
                i = int(request.text.split()[1].rstrip("?"))
                return Reply("yes" if bool(i % 2) == (i % wrong != 0) else "no")

            bench.endpoint.answer = answer
            reports = [bench.report(t, key=key, snapshot=key) for t in (task, plain)]
        bench.report(task, Variant(blind=True), key=key, snapshot=key)
        return task, plain, reports[0]

    return made


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_every_place(two, store, kind):
    task, plain, report = two(kind)
    (metric,) = report["metrics"].values()
    assert metric["ci_low"] < metric["value"] < metric["ci_high"], "a report has its interval"
    if kind in ("mean", "macro", "worst"):
        assert metric["lowest"] == metric["highest"] == pytest.approx(metric["value"]), "all is scored"
    else:
        assert math.isnan(metric["lowest"]), "what unscored samples could make of it cannot be said"

    (entry,) = compare_cells(store, task, "run.20", "run.10")
    levels = leveled(store, task.task)
    assert levels["run.20"] == pytest.approx(metric["value"])
    difference = levels["run.20"] - levels["run.10"]
    assert difference > 0
    assert entry["mean_diff"] == pytest.approx(difference)
    assert 0 < entry["p_value"] < 1
    assert entry.get("own_unit", False) == (kind == NO_PARTS)
    assert entry["detectable"] > 0

    curve = curve_data(store, "run", Settings())["tasks"][task.task]
    last = curve["points"][-1]
    assert last["value"] == pytest.approx(metric["value"])
    assert last["vs_previous"]["mean_diff"] == pytest.approx(difference)
    assert curve["reference_value"] == pytest.approx(levels["run.10"])
    if kind == NO_PARTS:
        assert math.isnan(last["vs_reference"]["band_low"])
        assert "squared" in curve["best"]["problem"] or "no value" in curve["best"]["problem"]
    else:
        # The parts of a statistic of the corpus stand for it to first order.
        rough = 0.01 if "corp" in kind else 1e-9
        assert last["vs_reference"]["mean_diff"] == pytest.approx(difference, abs=rough)
        assert last["vs_reference"]["band_low"] < last["vs_reference"]["mean_diff"]
        assert curve["best"]["best"] == "run.20"
        assert curve["best"]["ci_low"] < curve["best"]["value"] < curve["best"]["ci_high"]

    average, step = (
        macro_average(store, "run.20", [task, plain]),
        macro_difference(store, "run.20", "run.10", [task, plain]),
    )
    if kind == NO_PARTS:
        assert average is step is None, "one task that adds up is no average"
    else:
        accuracy = leveled(store, plain.task)["run.20"]
        assert average["value"] == pytest.approx((metric["value"] + accuracy) / 2)
        assert step["mean_diff"] > 0

    (blind,) = blind_comparison(store, "run.20", task)
    assert blind["with_media"] == pytest.approx(blind["without_media"]) == pytest.approx(metric["value"])
    assert ("%" in blind_sentence(blind).split("with the media")[0]) == (kind != NO_PARTS)

    variances = stored_variances(store, task, "run.20", "run.10")
    assert plan(task.task, 0.05, variances).detectable == pytest.approx(entry["detectable"], rel=0.01)


def leveled(store, task: str) -> dict[str, float]:
    """Checkpoint -> its primary metric on the leaderboard."""
    return {row["checkpoint"]: row["value"] for row in leaderboard_data(store)["rows"] if row["task"] == task}


@pytest.mark.parametrize("more", [{"macro_over": "half"}, {"worst_over": "pair"}])
def test_what_a_function_of_all_results_cannot_be_asked_is_refused(two, folder, more):
    two("mean")
    task = folder.task(judge="squared", metric_list=[{"metric": "squared", **more}], report_by=["half"])
    with pytest.raises(UnknownMetric, match=next(iter(more))):
        task_metrics(task)
