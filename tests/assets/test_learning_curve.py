"""The learning curve as an asset: real runs, real ticks, and the shell."""

from __future__ import annotations

import json
import sys

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context

from eval_assets.definitions import defs
from eval_assets.partitions import register_partitions
from eval_assets.pipeline.learning_curve import write_learning_curve
from eval_assets.pipeline.ledger import DONE, Wish, wish_for
from eval_assets.sensors import _curves, drain_wanted
from eval_assets.settings import load_settings
from resources.store.records import checkpoints
from resources.store.resource import EvalStore


@pytest.fixture
def train(project):
    """`train({10: 20})`: a checkpoint of the run `exp` at step 10 with 20 items right, not yet evaluated."""

    def make(right: dict[int, int]) -> None:
        for step, count in right.items():
            project.answers(f"exp.{step}", right=count)
            row = checkpoints(project.store).get(checkpoint=f"exp.{step}")
            checkpoints(project.store).upsert([{**row, "run": "exp", "step": step}])

    return make


def curve(project) -> dg.ExecuteInProcessResult:
    register_partitions(project.instance, runs=["exp"])
    return project.run("learning_curve", "exp")


def test_the_run_is_a_partition_and_its_version_follows_the_reports(project, train):
    train({10: 10, 20: 30})
    for step in (10, 20):
        assert project.run("checkpoint", f"exp.{step}").success
        assert project.cell(f"exp.{step}").success
    assert curve(project).success
    first = project.version("learning_curve", "exp")
    assert curve(project).success
    assert project.version("learning_curve", "exp") == first
    (event,) = curve(project).asset_materializations_for_node("learning_curve")
    assert "data:image/svg+xml;base64," in event.metadata["curve"].value
    assert event.metadata["parquet"].value.endswith("exp.curve.parquet")
    train({30: 38})
    assert project.run("checkpoint", "exp.30").success
    assert project.cell("exp.30").success
    assert curve(project).success
    assert project.version("learning_curve", "exp") != first
    assert defs.resolve_asset_graph().get(dg.AssetKey("learning_curve")).parent_keys == {
        dg.AssetKey("statistical_report")
    }


def drain(project, most=12):
    """Ticks and runs until nothing is asked for; the jobs in order."""
    jobs = []
    for _ in range(most):
        with (
            dg.build_sensor_context(
                instance=project.instance, resources={"store": EvalStore()}, repository_def=defs.get_repository_def()
            ) as context,
            partition_loading_context(dynamic_partitions_store=project.instance),
        ):
            requests = drain_wanted.evaluate_tick(context).run_requests or []
        if not requests:
            return jobs
        for request in requests:
            jobs.append(f"{request.job_name}:{request.partition_key}")
            assert project.run(request.job_name.removesuffix("_job"), request.partition_key, tags=request.tags).success
    raise AssertionError(f"the sensor never rests: {jobs}")


def test_the_sensor_makes_the_curve_once_for_each_new_checkpoint(project, train):
    train({10: 10})
    wish_for(project.store, [Wish("exp.10", "colours", "test")])
    assert not any("learning_curve" in job for job in drain(project))  # one checkpoint is no curve
    for step in (20, 30):
        train({step: 10 + step})
        wish_for(project.store, [Wish(f"exp.{step}", "colours", "test")])
        jobs = drain(project)
        assert [job for job in jobs if "learning_curve" in job] == ["learning_curve_job:exp"]
    stored = json.loads(project.store.read_file("reports", "exp.curve.json"))
    assert [p["step"] for p in stored["tasks"]["colours"]["points"]] == [10, 20, 30]


def test_a_checkpoint_of_which_something_is_wanted_does_not_bring_the_curve_yet(project, train):
    train({10: 10, 20: 30})
    for step in (10, 20):
        assert project.run("checkpoint", f"exp.{step}").success
        assert project.cell(f"exp.{step}").success
    wish_for(project.store, [Wish(f"exp.{step}", "colours", "test", state=DONE) for step in (10, 20)])
    store, settings = project.store, load_settings()
    assert [step.partition for step in _curves(store, {"exp.10", "exp.20"}, settings)] == ["exp"]
    write_learning_curve(store, "exp", settings)
    train({30: 38})
    assert project.run("checkpoint", "exp.30").success
    assert project.cell("exp.30").success
    wish_for(store, [Wish("exp.30", "another", "test")])
    assert _curves(store, {"exp.10", "exp.20", "exp.30"}, settings) == []
    wish_for(store, [Wish("exp.30", "another", "test", state=DONE)])
    assert [step.partition for step in _curves(store, {"exp.10", "exp.20", "exp.30"}, settings)] == ["exp"]


def evals(monkeypatch, capsys, *words: str):
    """`evals words`: exit code, stdout, stderr."""
    from eval_assets.cli import main

    monkeypatch.setattr(sys, "argv", ["evals", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


def test_the_shell_makes_the_curve_once_and_compares_runs(project, train, monkeypatch, capsys):
    monkeypatch.setenv("DAGSTER_HOME", str(project.path / "dagster"))
    train({10: 10, 20: 30})
    for step in (10, 20):
        project.run("checkpoint", f"exp.{step}")
        project.cell(f"exp.{step}")
    code, out, _ = evals(monkeypatch, capsys, "curve", "exp", "--json")
    assert code == 0
    assert json.loads(out[out.index("{") :])["tasks"]["colours"]["best"]["best"] == "exp.20"
    from eval_assets.cli.runs import Runs

    monkeypatch.setattr(Runs, "learning_curve", lambda *_: pytest.fail("nothing has changed"))
    code, out, _ = evals(monkeypatch, capsys, "curve", "exp")
    assert "Best: step 20 with 75.0 %" in out
    assert out.rstrip().endswith("exp.curve.html")
    code, _, err = evals(monkeypatch, capsys, "curve", "exp", "--tasks", "nonsense")
    assert (code, "run exp has no report on nonsense. It has colours" in err) == (1, True)
    code, _, err = evals(monkeypatch, capsys, "curve", "xp")
    assert (code, "did you mean exp?" in err) == (1, True)
    code, _, err = evals(monkeypatch, capsys, "curve", "exp", "--against", "exp")
    assert (code, "name another one" in err) == (1, True)
