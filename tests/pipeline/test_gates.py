"""Gates: pass, fail, or not to be told; and the settings that they and all else are read from."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval_assets.gates import FAIL, INCONCLUSIVE, PASS, enough_coverage, few_judge_failures, few_truncated, no_worse
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
    assert decision.passes("fail") == (state == PASS)


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
    decision = no_worse(None, 0.02)
    assert (decision.state, decision.why) == (INCONCLUSIVE, "there is nothing to compare with")
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
        ("gate: {margin: -1}", r"gate.margin: .*greater than or equal to 0"),
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
