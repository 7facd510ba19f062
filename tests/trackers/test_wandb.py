"""W&B in offline mode: what lies in its file is what `wandb sync` uploads."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from eval_assets.trackers import TrackerFailed, Wandb, push
from tests.trackers.wandb_files import RunFile

wandb = pytest.importorskip("wandb", reason="pip install 'eval-assets[wandb]'")
NAME, STEP = "eval/mathvision/accuracy", "eval/step"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The runs that W&B has written so far, oldest first."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    # W&B reads the environment once a process.
    wandb.teardown()

    def written():
        wandb.teardown()  # offline, W&B has written everything when its process has ended, not when `finish` returns
        found = tmp_path.glob("wandb/offline-run-*/*.wandb")
        return [RunFile(file) for file in sorted(found, key=lambda f: f.stat().st_mtime_ns)]

    yield written
    wandb.teardown()


def test_scores_come_with_an_axis_of_their_own(files, point):
    push(Wandb(kind="wandb", project="p", entity="team"), [point(4000, 0.4)])
    [found] = files()
    run = found.run
    assert (run.project, run.entity, run.run_id, run.run_group) == ("p", "team", "eval-exp7", "exp7")
    assert found.axis[NAME] == found.axis[f"{NAME}_ci_low"] == STEP
    [row] = found.rows
    assert {k: row[k] for k in (STEP, NAME, f"{NAME}_ci_low", f"{NAME}_vs_baseline")} == {
        STEP: 4000, NAME: 0.4, f"{NAME}_ci_low": 0.3, f"{NAME}_vs_baseline": 0.02,
    }  # fmt: skip
    assert found.config["eval_step_4000"]["fingerprint"] == "abc123"
    assert found.config["eval_step_4000"]["page"] == "/home/reports/page.html"
    assert found.ended


def test_a_step_that_comes_late_is_not_lost(files, point):
    """W&B drops rows at a lower step of its own than the last; these rows count on."""
    tracker = Wandb(kind="wandb", project="p")
    push(tracker, [point(4000, 0.4)])
    push(tracker, [point(2000, 0.2), point(1000, 0.1)])
    rows = [row for file in files() for row in file.rows]
    assert {row[STEP]: row[NAME] for row in rows} == {4000: 0.4, 1000: 0.1, 2000: 0.2}
    assert {file.run.run_id for file in files()} == {"eval-exp7"}


def test_the_summary_is_of_the_highest_step(files, point):
    push(Wandb(kind="wandb", project="p"), [point(4000, 0.4), point(2000, 0.2)])
    [found] = files()
    assert (found.summary[STEP], found.summary[NAME]) == (4000, 0.4)


def test_a_late_step_leaves_the_summary_of_a_resumed_run(files, point, monkeypatch):
    real = wandb.init

    def resumed(**kwargs):
        run = real(**kwargs)
        run.summary.update({STEP: 4000, NAME: 0.4})  # as W&B brings it back from the server
        return run

    monkeypatch.setattr(wandb, "init", resumed)
    push(Wandb(kind="wandb", project="p"), [point(2000, 0.2)])
    [found] = files()
    assert (found.rows[0][NAME], found.summary[NAME], found.summary[STEP]) == (0.2, 0.4, 4000)


def test_a_checkpoint_without_a_step_is_a_summary_without_a_curve(files, point):
    push(Wandb(kind="wandb", project="p", run="{run}-wb"), [point(None, run=None)])
    [found] = files()
    assert found.rows == []
    assert (found.run.run_id, found.summary[NAME]) == ("eval-gpt", 0.4)


def test_the_trainings_own_run_is_continued_and_not_ended(files, point, monkeypatch):
    asked = []
    real = wandb.init
    monkeypatch.setattr(wandb, "init", lambda **kwargs: asked.append(kwargs) or real(**kwargs))
    push(Wandb(kind="wandb", project="p", run="{run}-wb"), [point()])
    [found] = files()
    assert found.run.run_id == "exp7-wb"
    assert found.rows[0][NAME] == 0.4
    assert asked[0]["resume"] == "must"
    assert not asked[0]["settings"].x_update_finish_state


def test_a_run_that_is_still_written_to_is_refused(monkeypatch, point):
    """W&B keeps history by line number: a second writer overwrites the training's."""
    asked = []

    class Api:
        def run(self, path):
            asked.append(path)
            return SimpleNamespace(state="running")

    monkeypatch.setattr(wandb, "Api", Api)
    with pytest.raises(TrackerFailed, match=r"team/p/exp7-wb is still being written.*shared: true"):
        push(Wandb(kind="wandb", project="p", entity="team", run="{run}-wb"), [point()])
    assert asked == ["team/p/exp7-wb"]


@pytest.mark.parametrize(("mode", "shared", "said"), [("disabled", False, "unset"), ("offline", True, "connection")])
def test_a_mode_that_would_lose_the_scores_is_refused(monkeypatch, point, mode, shared, said):
    monkeypatch.setenv("WANDB_MODE", mode)
    with pytest.raises(TrackerFailed, match=said):
        push(Wandb(kind="wandb", project="p", run="{run}", shared=shared), [point()])


def test_without_a_key_it_says_how_to_log_in(monkeypatch, tmp_path, point):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    wandb.teardown()
    with pytest.raises(TrackerFailed, match=r"wandb: .*wandb login"):
        push(Wandb(kind="wandb", project="p"), [point()])
    wandb.teardown()
