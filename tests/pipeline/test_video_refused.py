"""Videos that cannot be shown: said in words, and before anything costs."""

from __future__ import annotations

import json
import time

import pytest

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.importing import import_answers
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest, items_of
from eval_assets.pipeline.questions import COLUMNS
from eval_assets.pipeline.registering import identify_checkpoint, register
from eval_assets.pipeline.seeing import text_only
from resources.media import MediaPolicy
from resources.models import ModelUnusable
from resources.models.checkpoint import Checkpoint
from resources.store.tables import open_table
from task_defs import RenderError
from tests.pipeline.conftest import quiet
from tests.videos import video

pytest.importorskip("av")


@pytest.fixture
def weights(tmp_path):
    """A folder of a model of text alone, and one of a model that sees; neither is loaded in these tests."""
    pytest.importorskip("torch")
    from tests.resources import families

    for name, build in (("text", families.llama), ("sees", families.llava)):
        families.save(build, tmp_path / name)
    return tmp_path


def ask(store, folder, task, source):
    ingest(task, store)
    register(store, Checkpoint("local", "transformers", str(source), {"device": "cpu"}))
    return infer(plan_cell(store, identify_checkpoint(store, "local"), task), store, run_id="r", log=quiet)


def test_a_model_that_takes_no_videos_is_refused_before_it_is_loaded(store, folder, rows, weights, monkeypatch):
    monkeypatch.setattr("resources.models.transformers.load", lambda source: pytest.fail("loaded"))
    (folder.path / "v.mp4").write_bytes(video(20))
    folder.rows([{**row, "video": "v.mp4"} for row in rows(2)])
    with pytest.raises(ModelUnusable, match=r"local on birds: the transformers backend takes no whole videos: send fr"):
        ask(store, folder, folder.task(doc_to_visual="video"), weights / "sees")
    with pytest.raises(ModelUnusable, match=r"shows frames of videos, and .*text is a model of text alone"):
        ask(store, folder, folder.task(doc_to_visual="video", video={"num_frames": 2}), weights / "text")


def test_a_model_that_sees_is_asked(store, folder, rows, weights):
    (folder.path / "v.mp4").write_bytes(video(20))
    folder.rows([{**row, "video": "v.mp4"} for row in rows(2)])
    done = ask(store, folder, folder.task(doc_to_visual="video", video={"num_frames": 2}), weights / "sees")
    assert (done.asked, done.errors) == (2, 0)
    assert not text_only(weights / "sees")
    assert not text_only(weights), "of what is unknown nothing is said"


def test_a_prompt_for_sound_needs_a_sound(bench, folder, rows, endpoint):
    (folder.path / "v.mp4").write_bytes(video(20))
    data = [{**row, "video": "v.mp4"} for row in rows(1)]
    task = folder.rows(data).task(doc_to_visual="video", doc_to_text="<video><audio> {{ question }}")
    with pytest.raises(RenderError, match=r"item q0: the prompt has <audio>, but the item has a video and no audio"):
        bench.infer(task)
    assert not endpoint.seen


def test_each_broken_video_is_its_own_items_error_with_the_reason(bench, folder, rows, endpoint):
    whole = video(400, container="matroska")
    files = {"cut.mkv": whole[: len(whole) // 3], "no_index.mp4": video(100)[:-2000], "good.mp4": video(400)}
    for name, data in files.items():
        (folder.path / name).write_bytes(data)
    data = [{**row, "video": name, "at": 2} for row, name in zip(rows(4), [*files, "good.mp4"], strict=True)]
    data[3]["at"] = 60
    task = folder.rows(data).task(doc_to_visual="video", video={"fps": 2, "around": "at", "seconds": 20.0})
    done = bench.infer(task)
    assert (done.asked, done.errors, len(endpoint.seen)) == (4, 3, 1)
    stored = open_table(bench.cell(task).outputs(bench.store).uri).to_table().to_pylist()
    said = {row["item_id"]: row["error_message"] for row in stored if row["error_kind"] == "bad_media"}
    assert "was cut off" in said["q0"]
    assert "cannot be decoded" in said["q1"]
    assert "is over after 16.0 s, before its part from 50.0 s on" in said["q3"]


def test_the_model_begins_while_other_videos_are_still_decoded(bench, folder, rows, endpoint, monkeypatch):
    for n in range(3):
        (folder.path / f"{n}.mp4").write_bytes(video(20, salt=n))
    data = [{**row, "video": f"{n}.mp4"} for n, row in enumerate(rows(3))]
    task = folder.rows(data).task(doc_to_visual="video", video={"num_frames": 2})
    cell = bench.cell(task)
    items = items_of(bench.store, task).pin()
    (first,) = items.take([next(iter(items.media_order()))], COLUMNS)
    plain = MediaPolicy.prepare

    def slow(policy, source, mime, sha, *kept):
        until = time.monotonic() + 20
        while sha != first["media"][0]["sha"] and not endpoint.seen:
            assert time.monotonic() < until, "the model waited for all videos"
            time.sleep(0.01)
        return plain(policy, source, mime, sha, *kept)

    monkeypatch.setattr(MediaPolicy, "prepare", slow)
    done = infer(cell, bench.store, run_id="r", log=quiet)
    assert (done.asked, done.errors) == (3, 0)


def test_recorded_answers_need_no_video_that_can_be_decoded_and_no_cost(bench, folder, rows, tmp_path):
    (folder.path / "v.mp4").write_bytes(video(100)[:-2000])
    data = [{**row, "video": "v.mp4"} for row in rows(2)]
    task = folder.rows(data).task(doc_to_visual="video", video={"fps": 2, "max_tokens": 1000})
    ingest(task, bench.store)
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps({"id": row["id"], "text": "yes"}) + "\n" for row in data))
    import_answers(bench.store, answers, task, "old", id_field="id", response_field="text")
    cell = plan_cell(bench.store, identify_checkpoint(bench.store, "old"), task)
    done = infer(cell, bench.store, run_id="r", log=quiet)
    assert (done.asked, done.errors) == (2, 0)
