"""Hold files: a trainer that looks for them deletes nothing that is still to be evaluated."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eval_assets.pipeline.holding import Hold, keep_holds
from eval_assets.pipeline.ledger import DONE, FAILED, Wish, settle, wish_for, wishes
from eval_assets.pipeline.registering import identify_checkpoint
from eval_assets.pipeline.watching import look
from eval_assets.settings import Watch
from resources.store import Store
from tests.pipeline.test_watching import SETTINGS, write


def held(folder: Path) -> bool:
    """As docs/checkpoints.md tells trainers to ask."""
    return any(folder.parent.glob(f".evals-hold-????????.{folder.name}"))


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    (tmp_path / "run1").mkdir()
    return Watch(path=tmp_path / "run1", suite="quick", hold=True)


def test_a_checkpoint_is_held_from_the_look_that_wants_it_until_its_last_cell_is_settled(store, watch):
    one, two = write(watch.path / "step-10"), write(watch.path / "step-100")
    time = one.stat().st_mtime_ns
    look(store, watch, SETTINGS)
    assert held(one)
    assert held(two)
    (file,) = watch.path.glob(".evals-hold-*.step-10")
    said = json.loads(file.read_text())
    assert (said["checkpoint"], said["tasks"]) == ("run1.10", ["gsm8k", "pope"])
    assert said["who"] == [f"watch {watch.path}"]
    assert datetime.fromisoformat(said["since"]) <= datetime.now(UTC)
    assert one.stat().st_mtime_ns == time, "trainers choose what to delete by this time"
    first, second = (w for w in wishes(store) if w.checkpoint == "run1.10")
    settle(store, [first], DONE)
    look(store, watch, SETTINGS)
    assert json.loads(file.read_text())["tasks"] == [second.task]
    settle(store, [second], FAILED, "why")
    look(store, watch, SETTINGS)
    assert (held(one), held(two)) == (False, True)
    wish_for(store, [Wish("run1.10", "pope", "me")])  # asked for again, by somebody else
    look(store, watch, SETTINGS)
    assert held(one)


def test_nothing_is_written_unless_asked_for_and_what_is_there_goes_with_the_setting(store, watch):
    folder = write(watch.path / "step-10")
    silent = watch.model_copy(update={"hold": False})
    look(store, silent, SETTINGS)
    assert [p.name for p in watch.path.iterdir()] == ["step-10"]
    look(store, watch, SETTINGS)
    assert held(folder)
    look(store, silent, SETTINGS)
    assert [p.name for p in watch.path.iterdir()] == ["step-10"]


def test_a_hold_changes_neither_what_is_seen_nor_the_fingerprint(store, watch):
    folder = write(watch.path / "step-10")
    look(store, watch, SETTINGS)
    before = identify_checkpoint(store, "run1.10")
    for _ in range(2):
        seen = look(store, watch, SETTINGS)
        assert (seen.wanted, seen.waiting, seen.gone, seen.notes) == ([], {}, [], [])
    assert identify_checkpoint(store, "run1.10") == before
    assert held(folder)


def test_a_folder_that_went_away_is_not_held(store, watch):
    folder = write(watch.path / "step-10")
    look(store, watch, SETTINGS)
    shutil.rmtree(folder)
    look(store, watch, SETTINGS)
    assert not held(folder)


def test_another_project_keeps_its_own(store, watch, tmp_path):
    folder = write(watch.path / "step-10")
    other = Store(tmp_path / "other")
    look(store, watch, SETTINGS)
    look(other, watch, SETTINGS)
    assert len(list(watch.path.glob(".evals-hold-*"))) == 2
    for wish in wishes(store):
        settle(store, [wish], DONE)
    look(store, watch, SETTINGS)
    assert held(folder)


def hold_of(folder: Path) -> Hold:
    return Hold(folder, "run1.10", ("pope",), ("me",), datetime.now(UTC))


def test_what_a_killed_look_left_is_removed_and_a_hold_is_touched_each_time(tmp_path):
    folder = tmp_path / "step-10"
    hold = hold_of(folder)
    assert keep_holds([hold], [tmp_path], "p") == []
    (file,) = tmp_path.glob(".evals-hold-*")
    file.with_name(file.name + ".writing").write_text("{")
    os.utime(file, (1, 1))
    keep_holds([hold], [tmp_path], "p")
    assert list(tmp_path.glob(".evals-hold-*")) == [file]
    assert file.stat().st_mtime > 1


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A directory in which nothing can be written: as another user, where the tests run as root."""
    root = Path(tempfile.mkdtemp())
    (root / "step-10").mkdir()
    root.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield root
    os.seteuid(user)
    root.chmod(0o755)
    shutil.rmtree(root)


def test_a_directory_that_cannot_be_written_is_no_failure_but_is_said(read_only):
    (said,) = keep_holds([hold_of(read_only / "step-10")], [read_only], "p")
    assert said.startswith(f"{read_only}/step-10 cannot be held, the trainer may delete it")
    assert "Permission denied" in said
