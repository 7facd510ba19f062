"""What is pushed when: from the store, in Dagster's runs, and from the shell. Into TensorBoard files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval_assets.cli.app import app
from eval_assets.cli.runs import Runs
from eval_assets.pipeline import tracking
from eval_assets.pipeline.ledger import Wish, wish_for
from eval_assets.pipeline.tracking import NotReported, PushFailed, outstanding_pushes, push_checkpoints, reported
from eval_assets.settings import load_settings
from eval_assets.trackers import TensorBoard, TrackerFailed
from resources.store.records import cells, checkpoints
from tests.assets.test_sensors import drain

pytest.importorskip("tensorboard", reason="pip install 'eval-assets[tensorboard]'")
from tests.trackers.test_tensorboard import scalars


def tracker(path: Path, name: str = "tb") -> TensorBoard:
    return TensorBoard(kind="tensorboard", logdir=str(path / name))


@pytest.fixture
def home(store, report):
    """A store in which `add(...)` puts a checkpoint's report."""

    def add(step=4000, value=0.4, version="v1", **changes):
        from eval_assets.pipeline.files import write_json

        data = report(step, value, **changes)
        write_json(store, data, data["checkpoint"])
        shared = {"checkpoint": data["checkpoint"], "at": None}
        made = {"task": "", "variant": "", "stage": "checkpoint_report", "key": "k", "version": version}
        cells(store).upsert([{**shared, **made, "n_rows": 0, "details": "{}", "run_id": ""}])
        blank = dict.fromkeys(["signature", "fingerprint", "bytes", "suite", "problem", "created_at"])
        point = {"checkpoint": data["checkpoint"], "model": "recorded", "source": "x", "model_args": "{}"}
        checkpoints(store).upsert([{**point, "run": data["run"], "step": step, **blank}])

    store.add = add
    return store


@pytest.fixture
def told(monkeypatch):
    """What trackers are told: (logdir's name, checkpoint, values); `told.down` are those that fail."""

    class Told(list):
        down: tuple[str, ...] = ()

    seen = Told()

    def push(settings, points):
        name = Path(settings.logdir).name
        if name in seen.down:
            raise TrackerFailed(f"{name} is down")
        seen.extend((name, p.checkpoint, dict(p.values)) for p in points)
        return name

    monkeypatch.setattr(tracking, "push", push)
    return seen


def quiet(line: str) -> None:
    """A log that nobody reads."""


def test_nothing_is_told_twice_and_a_changed_score_is_told_again(home, told, tmp_path):
    mine = [tracker(tmp_path)]
    home.add(value=0.4)
    push_checkpoints(home, ["exp7.4000"], mine, log=quiet)
    push_checkpoints(home, ["exp7.4000"], mine, log=quiet)
    assert len(told) == 1
    home.add(value=0.45, version="v2")
    assert list(outstanding_pushes(home, mine)) == ["exp7.4000"]
    push_checkpoints(home, ["exp7.4000"], mine, log=quiet)
    assert told[1:] == [("tb", "exp7.4000", {"eval/mathvision/accuracy": 0.45})]
    assert outstanding_pushes(home, mine) == {}
    push_checkpoints(home, ["exp7.4000"], mine, again=True, log=quiet)
    assert len(told[2][2]) == 8


def test_one_tracker_that_is_down_keeps_nothing_from_the_others(home, told, tmp_path):
    both = [tracker(tmp_path, "down"), tracker(tmp_path, "up")]
    home.add()
    told.down = ("down",)
    with pytest.raises(PushFailed, match="down is down"):
        push_checkpoints(home, ["exp7.4000"], both, log=quiet)
    assert [name for name, *_ in told] == ["up"]
    assert list(outstanding_pushes(home, both)) == ["exp7.4000"]
    told.down = ()
    push_checkpoints(home, ["exp7.4000"], both, log=quiet)
    assert [name for name, *_ in told] == ["up", "down"]  # and `up` was not told twice
    assert outstanding_pushes(home, both) == {}


def test_telling_some_trackers_leaves_the_others_to_be_told(home, told, tmp_path):
    both = [tracker(tmp_path, "a"), tracker(tmp_path, "b")]
    home.add()
    push_checkpoints(home, ["exp7.4000"], both[:1], configured=both, log=quiet)
    assert list(outstanding_pushes(home, both)) == ["exp7.4000"]
    push_checkpoints(home, ["exp7.4000"], both, log=quiet)
    assert [name for name, *_ in told] == ["a", "b"]


def test_another_place_is_told_everything(home, told, tmp_path):
    home.add()
    push_checkpoints(home, ["exp7.4000"], [tracker(tmp_path, "old")], log=quiet)
    assert list(outstanding_pushes(home, [tracker(tmp_path, "new")])) == ["exp7.4000"]
    assert outstanding_pushes(home, []) == {}


def test_a_run_is_its_reported_checkpoints_in_order(home, tmp_path):
    for step in (4000, 900, None):
        home.add(step, checkpoint="exp7.final" if step is None else f"exp7.{step}")
    assert reported(home, "exp7") == ["exp7.900", "exp7.4000", "exp7.final"]
    assert reported(home, "exp7.900") == ["exp7.900"]
    with pytest.raises(LookupError, match="did you mean"):
        reported(home, "exp7.901")
    with pytest.raises(NotReported, match="no report yet"):
        push_checkpoints(home, ["nobody"], [tracker(tmp_path)], log=quiet)


def configure(project, **more):
    project.configure(trackers=[{"kind": "tensorboard", "logdir": str(project.path / "tb")}], **more)


def wish(project, name, right):
    project.answers(name, right=right)
    wish_for(project.store, [Wish(name, "colours", "test")])


def test_the_sensor_pushes_after_the_report_and_then_rests(project):
    configure(project)
    wish(project, "good", 30)
    assert drain(project)[-2:] == ["checkpoint_report_job:good", "tracked_job:good"]
    assert scalars(project.path / "tb" / "good" / "eval", "eval/colours/accuracy") == {0: 0.75}
    assert project.version("tracked", "good")
    assert drain(project) == []


def test_scores_that_fail_the_gate_are_told_too(project):
    """The gate is blocking: what follows in its own run is not executed."""
    project.answers("base", right=40)
    project.cell("base")
    configure(project, baseline="base")
    wish(project, "bad", 4)
    assert "tracked_job:bad" in drain(project)
    folder = project.path / "tb" / "bad" / "eval"
    assert scalars(folder, "eval/colours/accuracy_vs_baseline") == {0: pytest.approx(-0.9)}


def test_a_tracker_that_is_down_fails_its_own_run_only_and_a_bounded_number_of_times(project):
    configure(project)
    (project.path / "tb").write_text("not a folder")
    wish(project, "good", 30)
    jobs = drain(project)
    assert jobs.count("tracked_job:good") == load_settings().max_attempts
    assert (project.path / "home" / "reports" / "good.html").is_file()
    assert project.count("checkpoint_report") == 1
    assert project.count("tracked") == 0


@pytest.fixture
def evals(project, monkeypatch):
    """The shell in this process."""
    monkeypatch.setenv("DAGSTER_HOME", str(project.path))
    project.answers("good", right=30)
    project.cell("good")
    project.run("checkpoint_report", "good")
    return lambda *words: CliRunner().invoke(app, list(words), catch_exceptions=True)


def test_the_shell_pushes_what_is_already_there(project, evals):
    configure(project)
    done = json.loads(evals("push", "good", "--to", "tensorboard", "--json").stdout)
    folder = project.path / "tb" / "good" / "eval"
    assert (done[0]["checkpoints"], done[0]["values"], done[0]["place"]) == (1, 5, str(folder))
    assert scalars(folder, "eval/colours/accuracy") == {0: 0.75}
    assert json.loads(evals("push", "good", "--json").stdout)[0]["values"] == 0
    shutil.rmtree(project.path / "tb")
    assert evals("push", "good", "--again").exit_code == 0
    assert folder.is_dir()
    assert drain(project) == []


def test_the_shell_says_what_is_missing(project, evals):
    assert "trackers" in str(evals("push", "good").exception)
    configure(project)
    assert "names tensorboard" in evals("push", "good", "--to", "aim").output
    assert "no checkpoint 'god'" in str(evals("push", "god").exception)


def test_evaluating_from_the_shell_warns_of_a_tracker_that_is_down(project, evals, monkeypatch, capsys):
    configure(project)
    (project.path / "tb").write_text("not a folder")
    runs = Runs()
    monkeypatch.setitem(runs.__dict__, "instance", project.instance)
    runs.tracked("good")
    assert "evals: not pushed: tensorboard: " in capsys.readouterr().err
    (project.path / "tb").unlink()
    runs.tracked("good")
    assert (project.path / "tb" / "good" / "eval").is_dir()
