"""What is said of a checkpoint, and what is kept silent."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from eval_assets.trackers import TensorBoard, TrackerFailed, TrackerSettings, point_of, push
from eval_assets.trackers.pushing import without_secrets

SETTINGS = TypeAdapter(TrackerSettings)


def test_a_task_is_told_with_its_interval_and_its_difference_to_the_baseline(report):
    found = point_of(report(), "/reports/x.html")
    assert (found.series, found.step) == ("exp7", 4000)
    assert found.values == {
        "eval/mathvision/accuracy": 0.4,
        "eval/mathvision/accuracy_ci_low": 0.3,
        "eval/mathvision/accuracy_ci_high": 0.5,
        "eval/mathvision/n": 300,
        "eval/mathvision/coverage": 1.0,
        "eval/mathvision/accuracy_vs_baseline": 0.02,
        "eval/mathvision/accuracy_vs_baseline_ci_low": -0.01,
        "eval/mathvision/accuracy_vs_baseline_ci_high": 0.05,
    }
    assert found.facts == {
        "checkpoint": "exp7.4000", "fingerprint": "abc123", "page": "/reports/x.html", "baseline": "base",
    }  # fmt: skip


@pytest.mark.parametrize("unknown", [None, math.nan, math.inf])
def test_what_is_unknown_is_not_told(report, unknown):
    values = point_of(report(value=unknown)).values
    assert "eval/mathvision/accuracy" not in values
    assert all(math.isfinite(v) for v in values.values())


def test_without_a_baseline_there_is_no_difference(report):
    found = point_of(report(comparisons={"baseline": []}))
    assert not [name for name in found.values if "vs_baseline" in name]
    assert "baseline" not in found.facts


def test_a_checkpoint_without_a_step_is_a_series_of_its_own(report):
    """At step 0 of the training's curve it would be a point that never was."""
    assert point_of(report(step=None, run=None)).series == "gpt"
    assert point_of(report(step=None, run="exp7", checkpoint="exp7.final")).series == "exp7.final"


def test_names_hold_only_letters_that_every_tracker_takes(report):
    cell = {
        "primary": "F1 @ 5 %",
        "metrics": {"F1 @ 5 %": {"value": 1, "ci_low": 1, "ci_high": 1, "n": 1, "coverage": 1}},
    }
    names = point_of(report(tasks={"../x:y": cell})).values
    assert "eval/_x_y/F1___5__" in names


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "wandb"}, "project"),
        ({"kind": "wandb", "project": "p", "shared": True}, "`run`"),
        ({"kind": "mlflow", "tracking_uri": "https://me:hunter22@mlflow"}, "MLFLOW_TRACKING_PASSWORD"),
        ({"kind": "tensorboard", "logdir": ""}, "logdir"),
        ({"kind": "aim"}, "'wandb', 'mlflow', 'tensorboard'"),
        ({"kind": "wandb", "project": "p", "api_key": "x"}, "api_key"),
    ],
)
def test_a_wrong_tracker_is_refused_by_its_field(wrong, said):
    with pytest.raises(ValidationError) as error:
        SETTINGS.validate_python(wrong)
    faults = "; ".join(f"{e['loc']} {e['msg']}" for e in error.value.errors())  # as evals.yaml's errors are told
    assert said in faults
    assert "hunter22" not in faults


def test_keys_never_reach_a_message(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    said = without_secrets("401 for 0123456789abcdef at postgresql://me:hunter22@db/mlflow")
    assert said == "401 for *** at postgresql://***@db/mlflow"


def test_a_library_that_is_not_installed_is_named_with_its_extra(monkeypatch, point, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    with pytest.raises(TrackerFailed, match=r"pip install 'eval-assets\[tensorboard\]'"):
        push(TensorBoard(kind="tensorboard", logdir=str(tmp_path)), [point()])


def test_the_libraries_are_not_loaded_before_they_are_needed():
    code = "import sys, eval_assets.definitions; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "eval_assets.trackers.pushing" in loaded
    assert not {"wandb", "mlflow", "tensorboard"} & set(loaded)
