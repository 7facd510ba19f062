"""Gates: pass, fail, or not to be told; and the settings that they and all else are read from."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stats
from eval_assets.gates import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    Against,
    better_than_previous,
    cell_decisions,
    checkpoint_gate,
    enough_coverage,
    enough_items,
    few_judge_failures,
    few_truncated,
    no_worse,
    no_worse_than_baseline,
)
from eval_assets.settings import Gate, Settings, SettingsError, Watch, load_settings


def entry(low, high, **more):
    mean = math.nan if low is None or high is None else (low + high) / 2
    return {"b": "base", "mean_diff": mean, "ci_low": low, "ci_high": high, **more}


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (-0.01, 0.05, PASS),
        (0.01, 0.05, PASS),
        (-0.09, -0.03, FAIL),
        (-0.05, 0.05, INCONCLUSIVE),
        (-0.05, -0.01, INCONCLUSIVE),
        (-0.02, 0.0, INCONCLUSIVE),  # exactly at the margin is not above it
        (-0.05, -0.02, INCONCLUSIVE),
        (-0.0199, -0.001, PASS),
        (None, None, INCONCLUSIVE),
        (math.nan, math.nan, INCONCLUSIVE),
        (-math.inf, math.inf, INCONCLUSIVE),
    ],
)
def test_not_worse_by_the_bounds_of_the_difference(low, high, state):
    decision = no_worse(entry(low, high), 0.02)
    assert decision.state == state
    assert decision.passes("pass") == (state != FAIL)
    assert decision.passes("warn") == decision.passes("fail") == (state == PASS)
    assert decision.fails("warn") == (state == FAIL)
    assert decision.fails("fail") == (state != PASS)


def test_ten_equal_answers_do_not_pass_for_certainty():
    """A copy of the baseline on few items: no difference was seen, and two points could not have been."""
    few, many = (asdict(stats.paired_difference([1.0] * n, [1.0] * n)) for n in (10, 400))
    assert no_worse({"b": "base", **few}, 0.02).state == INCONCLUSIVE
    assert no_worse({"b": "base", **many}, 0.02).state == PASS
    ratio = asdict(stats.paired_ratio_difference([1, 2], [3, 4], [1, 2], [3, 4]))
    decision = no_worse({"b": "base", **ratio}, 0.02)
    assert decision.state == INCONCLUSIVE
    assert "by how much is not known: there is no interval" in decision.why


@given(
    st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 0.5),
)  # fmt: skip
def test_where_less_is_better_the_sides_change_places(a, b, margin):
    low, high = sorted((a, b))
    mirrored = no_worse(entry(-high, -low, higher_is_better=False), margin)
    assert mirrored.state == no_worse(entry(low, high), margin).state


def test_a_lower_error_rate_is_no_regression():
    assert no_worse(entry(-0.2, -0.1, higher_is_better=False), 0.02).state == PASS
    assert no_worse(entry(0.1, 0.2, higher_is_better=False), 0.02).state == FAIL


def test_nothing_to_compare_with_is_said_and_is_no_failure():
    decision = no_worse_than_baseline(Against(), Gate())
    assert (decision.state, decision.why) == (PASS, "nothing to compare with: no baseline, or this is it")
    said = no_worse(entry(-0.09, -0.03), 0.02)
    assert said.why == "difference to base is -6.0 points [-9.0, -3.0]: worse by more than 2.0 points"
    assert said.numbers["margin"] == 0.02


def report(**more):
    return {"coverage": 1.0, "n_samples": 100, "unscored": {}, "flags": {}, **more}


@pytest.mark.parametrize(
    ("coverage", "state"), [(1.0, PASS), (0.95, PASS), (0.94, FAIL), (None, FAIL), (math.nan, FAIL)]
)
def test_coverage(coverage, state):
    decision = enough_coverage(report(coverage=coverage, unscored={"no response": 6}), Gate())
    assert decision.state == state
    if coverage == 0.94:
        assert decision.why == "94.0 % scored, 95.0 % wanted; unscored: 6 x no response"


@pytest.mark.parametrize(("truncated", "state"), [(0, PASS), (10, PASS), (11, FAIL)])
def test_truncation(truncated, state):
    assert few_truncated(report(flags={"truncated": truncated, "empty": 50}), Gate()).state == state


@pytest.mark.parametrize(
    ("unscored", "state"),
    [
        ({"judge error": 5}, PASS),
        ({"judge error": 4, "unusable label": 2}, FAIL),
        ({"no response": 50, "missing label": 40, "missing medium": 10}, PASS),
    ],
)
def test_failures_of_the_judge_are_told_from_others(unscored, state):
    assert few_judge_failures(report(unscored=unscored), Gate()).state == state


def test_no_samples_at_all_passes_nothing():
    nothing = report(n_samples=0, coverage=None)
    assert {check(nothing, Gate()).state for check in (enough_coverage, few_truncated, few_judge_failures)} == {FAIL}


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [(0.01, 0.05, PASS), (0.0, 0.05, INCONCLUSIVE), (-0.01, 0.05, INCONCLUSIVE), (-0.05, -0.01, FAIL)],
)
def test_better_than_the_previous_where_it_is_asked_for(low, high, state):
    against = Against({"previous": entry(low, high)})
    assert better_than_previous(against, Gate()).state == PASS
    assert better_than_previous(against, Gate(better_than_previous=True)).state == state
    assert better_than_previous(Against(), Gate(better_than_previous=True)).state == PASS, "the first of its run"


def test_a_baseline_that_cannot_be_compared_is_no_pass():
    refused = Against(absent={"baseline": "base answered another version of birds"})
    for check in (no_worse_than_baseline, enough_items):
        decision = check(refused, Gate())
        assert (decision.state, decision.why) == (INCONCLUSIVE, "base answered another version of birds")
    rows = {row["check"]: row for row in cell_decisions(report(), refused, Gate(inconclusive="fail"))}
    assert rows["no_worse_than_baseline"]["stops"]
    assert not rows["enough_items"]["stops"], "it is not among the blocking ones"


def test_fewer_than_two_clusters_decide_nothing_and_say_why():
    decision = no_worse(entry(None, None, note="all items are in one cluster"), 0.02)
    assert (decision.state, decision.why) == (INCONCLUSIVE, "against base: all items are in one cluster")


def test_the_least_number_of_items_for_the_margin():
    """omega2 = 1/9 and 3 points: 969 items (Miller 2024)."""
    gate = Gate(margin=0.03)
    plan = {"planning": {"omega2": 1 / 9}}
    few, many = (enough_items(Against({"baseline": entry(0, 0.1, n=n, **plan)}), gate) for n in (968, 969))
    assert (few.state, many.state) == (FAIL, PASS)
    assert few.why == "968 items, 969 needed to tell 3.0 points from none with 80 % power"
    assert enough_items(Against({"baseline": entry(0, 0.1, n=9, planning=None)}), gate).state == INCONCLUSIVE
    assert enough_items(Against({"baseline": entry(0, 0.1, n=9, **plan)}), Gate(margin=0)).state == INCONCLUSIVE


def test_a_checkpoint_is_stopped_by_what_stops_one_of_its_cells():
    gate = Gate(blocking=("coverage", "no_worse_than_baseline"))
    worse, unsure = Against({"baseline": entry(-0.09, -0.03)}), Against({"baseline": entry(-0.05, 0.05)})

    def decide(missing=(), **cells):
        gates = {task: cell_decisions(report(coverage=c), against, gate) for task, (c, against) in cells.items()}
        return checkpoint_gate({"gates": gates, "missing": list(missing)}, gate)

    assert decide(birds=(1.0, Against())).state == PASS
    failed = decide(birds=(1.0, worse), owls=(0.5, Against()))
    assert failed.state == FAIL
    assert "birds: difference to base is -6.0 points" in failed.why
    assert "owls: 50.0 % scored, 95.0 % wanted" in failed.why
    assert decide(birds=(1.0, unsure)).state == INCONCLUSIVE
    partial = decide(birds=(1.0, Against()), missing=["owls"])
    assert (partial.state, partial.why) == (INCONCLUSIVE, "owls: no report")


# --- settings --------------------------------------------------------------------------------------


def test_without_a_file_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_settings() == Settings()


def test_the_file_is_found_in_the_folder_or_where_the_environment_says(tmp_path, monkeypatch):
    text = "baseline: base.10\nsuites: {quick: [gsm8k]}\ngate: {margin: 0.05}\nwatch: [{path: runs/a, suite: quick}]\n"
    (tmp_path / "evals.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    found = load_settings()
    assert (found.baseline, found.suite("quick"), found.gate.margin) == ("base.10", ("gsm8k",), 0.05)
    assert found.watch[0].run_name == "a"
    assert found.suite("pope") == ("pope",), "a task is a suite of one"
    (tmp_path / "other.yaml").write_text("baseline: other\n")
    monkeypatch.setenv("EVAL_CONFIG", str(tmp_path / "other.yaml"))
    assert load_settings().baseline == "other"
    monkeypatch.setenv("EVAL_CONFIG", str(tmp_path / "absent.yaml"))
    with pytest.raises(SettingsError, match=r"EVAL_CONFIG=.*absent.yaml: no such file"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("basline: x", r"evals.yaml: basline: Extra inputs"),
        ("gate: {margin: -0.02}", r"gate.margin: .*without a sign, .* such as 0.02 for two points, not -0.02"),
        ("gate: {margin: 2}", r"gate.margin: .*a fraction of 1"),
        ("gate: {blocking: [coverag]}", r"gate.blocking.0: "),
        ("gates: {nightly: {margin: 0.1}}", r"gates: no suite or task 'nightly'"),
        ("suites: {quick: [gsm8k]}\ngates: {quik: {}}", r"gates: no suite or task 'quik': did you mean quick\?"),
        ("gates: {gsm8k: {margn: 0.1}}", r"gates.gsm8k.margn: "),
        ("baseline: {gsm8: x}", r"baseline: no task 'gsm8': did you mean gsm8k\?"),
        ("baseline: [a]", r"baseline"),
        ("watch: [{path: a}]", r"watch.0.suite: Field required"),
        ("max_attempts: 0", r"max_attempts: "),
        ("gate: {inconclusive: maybe}", r"gate.inconclusive: "),
        ("a: [", r"evals.yaml: "),
        ("- a\n- b", r"evals.yaml: "),
        ("suites: {quick: 7}", r"suites.quick: "),
    ],
)
def test_a_fault_is_told_with_file_and_field(tmp_path, monkeypatch, text, says):
    (tmp_path / "evals.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=says):
        load_settings()


def test_one_task_is_a_suite_and_not_its_letters():
    assert Settings.model_validate({"suites": {"quick": "gsm8k"}}).suite("quick") == ("gsm8k",)


def test_names_of_sensors_are_such_that_dagster_takes(tmp_path):
    assert Watch(path=tmp_path / "run-1.b", suite="quick").name == "watch_run_1_b"


def test_baselines_for_all_and_for_some_tasks():
    assert Settings(baseline="gemini").baseline_of("pope") == "gemini"
    some = Settings.model_validate({"baseline": {"default": "gemini", "mathvision": "gpt-4v", "gsm8k": None}})
    assert [some.baseline_of(task) for task in ("pope", "mathvision", "gsm8k")] == ["gemini", "gpt-4v", None]
    assert Settings.model_validate({"baseline": {"pope": "x"}}).baseline_of("gsm8k") is None
    assert Settings().baseline_of("pope") is None


def test_a_suites_gate_changes_what_it_names_and_only_for_its_tasks():
    found = Settings.model_validate(
        {
            "suites": {"quick": ["gsm8k"], "full": ["gsm8k", "pope"]},
            "gate": {"margin": 0.05, "min_coverage": 0.9},
            "gates": {"quick": {"margin": 0.1}, "full": {"min_coverage": 0.5, "blocking": ["coverage"]}},
        }
    )
    assert (found.gate_of("gsm8k").margin, found.gate_of("gsm8k").min_coverage) == (0.1, 0.9)
    assert found.gate_of("gsm8k", "full") == found.gate_of("pope")
    assert (found.gate_of("pope").margin, found.gate_of("pope").min_coverage) == (0.05, 0.5)
    assert found.gate_of("pope").blocking == ("coverage",)
    assert found.gate_of("pope", "quick").min_coverage == 0.5, "not a task of the checkpoint's suite"
    assert found.gate_of("mathvision") == found.gate
    alone = Settings.model_validate({"gates": {"pope": {"margin": 0.2}}})
    assert (alone.gate_of("pope").margin, alone.gate_of("gsm8k").margin) == (0.2, 0.02)
