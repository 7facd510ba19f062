"""The learning curve of a run: differences with a band, the best, what has changed, and when it is made anew."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

import pyarrow.parquet as pq
import pytest

from eval_assets.pipeline import learning_curve
from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.learning_curve import curve_data, outdated_curves, stored_curve, write_learning_curve
from eval_assets.pipeline.registering import register
from eval_assets.pipeline.run_scores import UnknownRun
from eval_assets.settings import Settings
from resources.models.checkpoint import Checkpoint
from tests.conftest import Reply

ITEMS = 40
NONE = Settings()


class Trained:
    """A run's checkpoints on the task of `folder`: how many of the first answers of each are right."""

    def __init__(self, bench, folder, rows) -> None:
        self.bench, self.folder, self.store = bench, folder, bench.store
        self.task = folder.rows(rows(ITEMS)).task()

    def add(self, right: Mapping[int, int], run: str = "run") -> None:
        for step, count in right.items():
            self.score(f"{run}.{step}", count, run, step)

    def score(self, key: str, right: int, run: str | None = None, step: int | None = None, task=None) -> None:
        arguments = self.bench.endpoint.args(max_retries=0, snapshot=f"{key} {right}")
        register(self.store, Checkpoint(key, "openai", "gpt", arguments, run=run, step=step))
        self.bench.endpoint.answer = lambda request, number: Reply(
            text="yes" if int(request.text.split()[1].rstrip("?")) < right else "no"
        )
        self.bench.report(task or self.task, key=key, snapshot=f"{key} {right}")

    def curve(self, settings: Settings = NONE, run: str = "run"):
        return curve_data(self.store, run, settings)["tasks"]["birds"]


@pytest.fixture
def trained(bench, folder, rows, monkeypatch) -> Trained:
    monkeypatch.setenv("EVAL_TASK_PATH", str(folder.path))
    return Trained(bench, folder, rows)


def differences(curve, side="vs_reference"):
    return {p["step"]: round(p[side]["mean_diff"] * ITEMS) for p in curve["points"] if p[side]}


def test_levels_differences_and_changes_are_of_the_right_pairs(trained):
    trained.add({200: 22, 20: 20, 1000: 38})  # not in order of names, nor in that of time
    curve = trained.curve()
    assert [(p["step"], p["value"]) for p in curve["points"]] == [(20, 0.5), (200, 0.55), (1000, 0.95)]
    assert curve["reference"] == {"checkpoint": "run.20", "role": "first"}
    assert differences(curve) == {200: 2, 1000: 18}
    assert differences(curve, "vs_previous") == {200: 2, 1000: 16}
    last = curve["points"][-1]["vs_reference"]
    assert last["band_low"] < last["ci_low"] < last["mean_diff"] < last["ci_high"] < last["band_high"]
    assert last["p_adjusted"] >= last["p_value"]
    assert {p["step"]: p["vs_previous"]["survives"] for p in curve["points"][1:]} == {200: False, 1000: True}


def test_what_survives_is_what_the_band_shows(trained):
    trained.add({10: 20, 20: 21, 30: 36, 40: 37})
    for point in trained.curve()["points"][1:]:
        entry = point["vs_reference"]
        assert entry["survives"] == (entry["band_low"] > 0 or entry["band_high"] < 0)
    assert trained.curve()["band"]["survive"] == ["run.30", "run.40"]


def test_the_best_comes_with_those_that_cannot_be_told_from_it(trained):
    trained.add({10: 10, 20: 35, 30: 37})
    best = trained.curve()["best"]
    assert (best["best"], best["candidates"]) == ("run.30", ["run.20", "run.30"])
    assert best["corrected"] < best["value"] == 37 / ITEMS


def test_where_less_is_better_the_least_is_the_best(trained, rows):
    metrics = [{"metric": "accuracy", "name": "error", "higher_is_better": False}]
    trained.task = trained.folder.rows(rows(ITEMS)).task(metric_list=metrics)
    trained.add({10: 10, 20: 35})
    assert trained.curve()["best"]["candidates"] == ["run.10"]


def test_a_ratio_and_a_macro_average_have_a_band_too(trained, rows):
    half = [{**row, "answer": "yes" if i % 2 else "no", "kind": str(i % 3)} for i, row in enumerate(rows(ITEMS))]
    trained.folder.rows(half)
    for metric in ({"metric": "f1"}, {"metric": "accuracy", "macro_over": "kind"}):
        trained.task = trained.folder.task(judge="yes_no", metric_list=[metric], report_by=["kind"])
        trained.add({10: 12, 20: 34})
        entry = trained.curve()["points"][-1]["vs_reference"]
        levels = [p["value"] for p in trained.curve()["points"]]
        assert entry["mean_diff"] == pytest.approx(levels[1] - levels[0])
        assert entry["band_low"] <= entry["ci_low"] < entry["mean_diff"]


def test_differences_are_to_the_baseline_where_there_is_one(trained):
    trained.add({10: 20, 20: 30})
    trained.score("base", 25)
    curve = trained.curve(Settings(baseline="base"))
    assert curve["reference"] == {"checkpoint": "base", "role": "baseline"}
    assert curve["reference_value"] == 25 / ITEMS
    assert differences(curve) == {10: -5, 20: 5}
    assert [p["checkpoint"] for p in curve["points"]] == ["run.10", "run.20"]
    assert set(curve["best"]["p_is_best"]) == {"run.10", "run.20"}


def test_a_baseline_without_scores_leaves_the_first_and_says_so(trained):
    trained.add({10: 20, 20: 30})
    curve = trained.curve(Settings(baseline="nobody"))
    assert curve["reference"] == {"checkpoint": "run.10", "role": "first"}
    (note,) = curve["notes"]
    assert "nobody has no scores on birds" in note
    assert "run.10 instead" in note


def test_a_checkpoint_that_answered_other_questions_keeps_its_level_only(trained, rows):
    trained.add({10: 20, 20: 30, 30: 35})
    changed = rows(ITEMS)
    changed[5]["answer"] = "no"
    trained.task = trained.folder.rows(changed).task()
    trained.add({20: 31, 30: 36})  # the first one is still of the old label
    curve = trained.curve()
    assert curve["reference"] == {"checkpoint": "run.20", "role": "first"}
    assert [p["step"] for p in curve["points"]] == [10, 20, 30]
    assert curve["points"][0]["vs_reference"] is None
    assert list(differences(curve)) == [30]
    assert any("'q5'" in note and "run.10" in note for note in curve["notes"])


def test_one_checkpoint_has_a_level_and_no_comparison(trained):
    trained.add({10: 20})
    curve = trained.curve()
    (point,) = curve["points"]
    assert (point["value"], point["vs_reference"], point["vs_previous"]) == (0.5, None, None)
    assert curve["best"] is curve["band"] is None
    assert outdated_curves(trained.store, NONE) == {}
    assert write_learning_curve(trained.store, "run", NONE).data["tasks"]


def test_a_task_that_some_checkpoints_lack_names_their_steps(trained):
    trained.add({10: 20, 30: 30})
    register(trained.store, Checkpoint("run.20", "openai", "gpt", {}, run="run", step=20))
    curve = trained.curve()
    assert curve["not_evaluated"] == [20]
    assert [p["step"] for p in curve["points"]] == [10, 30]


def test_a_task_that_is_gone_does_not_take_the_others_along(trained, rows, tmp_path):
    trained.add({10: 20, 20: 30})
    other = trained.folder.path / "fish.yaml"
    other.write_text((trained.folder.path / "birds.yaml").read_text().replace("birds", "fish"))
    from task_defs import load_task

    trained.score("run.20", 30, "run", 20, load_task(other))
    other.unlink()
    data = curve_data(trained.store, "run", NONE)
    assert list(data["tasks"]) == ["birds"]
    assert "fish" in data["absent"]["fish"]


def test_unknown_runs_and_runs_without_a_report_are_said(trained):
    with pytest.raises(UnknownRun, match="there are none"):
        curve_data(trained.store, "run", NONE)
    trained.add({10: 20}, run="exp7")
    with pytest.raises(UnknownRun, match="did you mean exp7"):
        curve_data(trained.store, "exp8", NONE)
    register(trained.store, Checkpoint("new.1", "openai", "gpt", {}, run="new", step=1))
    with pytest.raises(NotScored, match="checkpoint of run new has a report yet"):
        curve_data(trained.store, "new", NONE)


def test_nothing_is_made_anew_until_something_changes(trained, monkeypatch):
    trained.add({10: 20, 20: 30})
    made = []
    monkeypatch.setattr(learning_curve, "curve_data", lambda *args: made.append(args) or curve_data(*args))

    def write(settings=NONE):
        return write_learning_curve(trained.store, "run", settings)

    first = write()
    assert write().version == first.version
    assert len(made) == 1
    trained.score("base", 25)
    other = write(Settings(baseline="base"))
    assert other.version != first.version
    assert write(NONE).version == first.version
    trained.add({30: 35})
    assert write().version != first.version
    assert len(made) == 4
    for kind in ("html", "json", "parquet"):  # a record is a claim
        (trained.folder.path.parent / "home" / "reports" / f"run.curve.{kind}").unlink()
        assert stored_curve(trained.store, "run", NONE) is None
        write()
    assert len(made) == 7


def test_the_sensor_is_told_which_checkpoints_have_changed(trained):
    trained.add({10: 20, 20: 30})
    assert outdated_curves(trained.store, NONE)["run"].changed == {"run.10", "run.20"}
    write_learning_curve(trained.store, "run", NONE)
    assert outdated_curves(trained.store, NONE) == {}
    trained.add({30: 35})
    assert outdated_curves(trained.store, NONE)["run"].changed == {"run.30"}
    write_learning_curve(trained.store, "run", NONE)
    assert outdated_curves(trained.store, Settings(baseline="run.20"))["run"].changed == {"run.10", "run.20", "run.30"}


def test_page_json_and_parquet_say_the_same(trained):
    trained.add({10: 20, 20: 30})
    written = write_learning_curve(trained.store, "run", NONE)
    stored = json.loads(trained.store.read_file("reports", "run.curve.json"))
    assert stored == json.loads(json.dumps(written.data))
    table = pq.read_table(io.BytesIO(trained.store.read_file("reports", "run.curve.parquet"))).to_pylist()
    entry = stored["tasks"]["birds"]["points"][1]
    assert [row["vs_reference_mean_diff"] for row in table] == [None, entry["vs_reference"]["mean_diff"]]
    assert table[1]["band_low"] == entry["vs_reference"]["band_low"]
    assert (table[1]["step"], table[1]["is_best"], table[0]["vs_previous_survives"]) == (20, True, None)
    page = trained.store.read_file("reports", "run.curve.html").decode()
    assert "75.0" in page
    assert page.count("<svg") == 2
