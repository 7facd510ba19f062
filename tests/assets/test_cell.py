"""One cell as one Dagster run: what is made, under which version, and what a second run does."""

from __future__ import annotations

import dagster as dg
import pytest

from eval_assets import results


def test_a_cell_runs_from_answers_to_report(project):
    project.answers("good", right=30)
    result = project.cell("good")
    assert result.success
    report = results.report("good", "colours")
    metric = report["metrics"]["accuracy"]
    assert metric["value"] == 0.75
    assert metric["n"] == 40
    assert metric["n_clusters"] == 10
    assert metric["ci_low"] < 0.75 < metric["ci_high"]
    assert metric["coverage"] == 1.0
    assert len(results.outputs("good", "colours")) == 40
    assert results.scores("good", "colours")["score"].to_pylist() == [1.0] * 30 + [0.0] * 10


def test_dagster_shows_the_versions_that_decide(project):
    project.answers("good", right=30)
    project.run("checkpoint", "good")
    project.cell("good")
    versions = {a: project.version(a, "good|colours") for a in ("model_outputs", "judge_scores", "statistical_report")}
    project.cell("good")
    assert versions == {a: project.version(a, "good|colours") for a in versions}
    # Only the judge changes: outputs keep their version, what follows gets another.
    project.define(judge="contains")
    project.run("dataset", "colours")
    project.cell("good")
    assert project.version("model_outputs", "good|colours") == versions["model_outputs"]
    assert project.version("judge_scores", "good|colours") != versions["judge_scores"]
    assert project.version("statistical_report", "good|colours") != versions["statistical_report"]


def test_a_second_run_writes_nothing(project):
    project.answers("good", right=30)
    project.cell("good")
    before = results.outputs("good", "colours")
    second = project.cell("good")
    assert second.success
    asked = second.asset_materializations_for_node("model_outputs")[0].metadata["asked"].value
    assert asked == 0
    assert results.outputs("good", "colours").equals(before)


def test_a_comparison_needs_no_other_run_when_the_baseline_changes(project):
    project.answers("old", right=8)
    project.answers("new", right=38)
    project.cell("old")
    project.cell("new")
    report = project.version("statistical_report", "new|colours")
    project.configure(baseline="old")
    assert project.cell("new").success
    assert project.version("statistical_report", "new|colours") == report
    page = project.run("checkpoint_report", "new")
    assert page.success
    entry = project.store.read_json("reports", "new.json")["comparisons"]["baseline"][0]
    assert entry["mean_diff"] == pytest.approx(0.75)
    assert entry["b"] == "old"
    assert entry["p_adjusted"] == entry["p_value"] < 0.05


def test_worse_than_the_baseline_fails_the_run_and_later_the_report(project):
    project.answers("old", right=40)
    project.answers("new", right=8)
    project.cell("old")
    project.configure(baseline="old", gate={"margin": 0.05})
    assert not project.cell("new").success
    # Another run, another day: the gate is looked up from what is stored.
    report = project.run("checkpoint_report", "new")
    assert not report.success
    (gate,) = [c for c in report.get_asset_check_evaluations() if c.check_name == "gate"]
    assert not gate.passed
    assert "colours" in gate.description


def test_one_cells_failed_check_does_not_hide_behind_anothers_pass(project):
    project.answers("old", right=40)
    project.answers("bad", right=8)
    project.answers("fine", right=40)
    project.cell("old")
    project.configure(baseline="old", gate={"margin": 0.05})
    states = {name: project.cell(name).success for name in ("bad", "fine")}
    assert states == {"bad": False, "fine": True}


def checks(result):
    return {c.check_name: c for c in result.get_asset_check_evaluations()}


def test_which_checks_stop_is_configured_for_each_suite(project):
    project.answers("old", right=20)
    project.answers("new", right=18)
    project.cell("old")
    project.configure(baseline={"colours": "old"}, gate={"min_coverage": 1.0, "blocking": []})
    result = project.cell("new")
    assert result.success
    found = checks(result)
    assert {name for name, c in found.items() if not c.passed} == {"no_worse_than_baseline", "enough_items"}
    inconclusive = found["no_worse_than_baseline"]
    assert inconclusive.severity.name == "WARN"
    assert inconclusive.description.startswith("difference to old is -5.0 points [-")
    assert inconclusive.metadata["state"].value == "inconclusive"
    assert inconclusive.metadata["mean_diff"].value == pytest.approx(-0.05)
    project.configure(
        baseline="old", suites={"quick": ["colours"]},
        gates={"quick": {"blocking": ["no_worse_than_baseline"], "inconclusive": "fail"}},
    )  # fmt: skip
    assert not project.cell("new").success
    project.configure(baseline="old", gate={"blocking": ["enough_items"]})
    failed = project.cell("new")
    assert not failed.success
    assert "40 items, " in checks(failed)["enough_items"].description


def test_a_regression_does_not_slip_past_in_runs_that_write_nothing(project):
    """Neither a second run of the cell, nor a report made later, nor a gate that was set afterwards."""
    from eval_assets.pipeline.cell import find_checkpoint
    from eval_assets.pipeline.gating import stopped_by, stored_decisions
    from eval_assets.settings import load_settings
    from task_defs import load_task

    project.answers("old", right=40)
    project.answers("new", right=8)
    project.cell("old")
    project.cell("new")
    project.configure(baseline="old")
    (why,) = stopped_by(
        stored_decisions(project.store, find_checkpoint(project.store, "new"), load_task("colours"), load_settings())
    )
    assert why.startswith("no_worse_than_baseline: difference to old is -80.0 points")
    assert not project.run("checkpoint_report", "new").success
    assert [project.cell("new").success for _ in range(2)] == [False, False]
    page = (project.path / "home" / "reports" / "new.html").read_text()
    assert "Stopped by the gate" in page
    project.configure(baseline=None)
    assert project.run("checkpoint_report", "new").success


def test_a_baseline_on_another_version_of_the_data_set_is_refused(project):
    project.answers("old", right=40)
    project.answers("new", right=40)
    project.cell("old")
    rows = (project.path / "tasks" / "test.jsonl").read_text().replace("Colour 3?", "Shade 3?")
    (project.path / "tasks" / "test.jsonl").write_text(rows)
    project.run("dataset", "colours")
    project.configure(baseline="old")
    result = project.cell("new")
    assert result.success
    said = checks(result)["no_worse_than_baseline"]
    assert not said.passed
    assert said.severity.name == "WARN"
    assert "1 items have the same id but another question or label ('3')" in said.description
    assert "evals run --checkpoint old --tasks colours" in said.description
    project.configure(baseline="old", gate={"inconclusive": "fail"})
    assert not project.cell("new").success


def test_missing_answers_are_unscored_and_lower_the_coverage(project):
    project.answers("gaps", right=40)
    lines = (project.path / "gaps.jsonl").read_text().splitlines(keepends=True)
    (project.path / "gaps.jsonl").write_text("".join(lines[:30]))
    from eval_assets.pipeline.importing import import_answers
    from task_defs import load_task

    import_answers(
        project.store, project.path / "gaps.jsonl", load_task("colours"), "gaps", id_field="id", response_field="text"
    )
    result = project.cell("gaps")
    report = results.report("gaps", "colours")
    assert report["metrics"]["accuracy"]["value"] == 1.0
    assert report["coverage"] == 0.75
    assert report["bounds"] == {"all_wrong": 0.75, "all_right": 1.0}
    (check,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "coverage"]
    assert not check.passed
    assert result.success  # it warns, it does not block


def test_a_variant_is_never_the_partitions_latest(project):
    project.answers("good", right=30)
    project.cell("good")
    before = project.count("model_outputs")
    config = {"checkpoint": "good", "task": "colours", "limit": 10}
    result = project.run("variant", run_config={"ops": {"evaluate_variant": {"config": config}}})
    assert result.success
    assert project.count("model_outputs") == before
    assert results.report("good", "colours", "limit=10")["metrics"]["accuracy"]["n"] == 10
    assert results.report("good", "colours")["metrics"]["accuracy"]["n"] == 40
    board = project.run("checkpoint_report", "good")
    assert board.success
    assert len(project.store.read_json("reports", "leaderboard.json")["rows"]) == 1


def test_an_unknown_checkpoint_names_the_nearest(project):
    project.answers("good", right=30)
    from eval_assets.partitions import register_partitions

    register_partitions(project.instance, ["goood"], ["colours"])
    result = project.cell("goood")
    (failure,) = [e for e in result.all_events if e.is_step_failure and e.step_key == "model_outputs"]
    assert "did you mean good?" in str(failure.step_failure_data.error)


def test_the_data_set_shows_counts_and_a_preview(project):
    from eval_assets.partitions import register_partitions

    register_partitions(project.instance, [], ["colours"])
    result = project.run("dataset", "colours")
    metadata = result.asset_materializations_for_node("benchmark_dataset")[0].metadata
    assert metadata["dagster/row_count"].value == 40
    assert "Colour 0?" in metadata["preview"].value
    assert isinstance(metadata["preview"], dg.MarkdownMetadataValue)
