"""Sampling policies from the task's YAML to what the model is sent, and to what is asked anew."""

from __future__ import annotations

import json

import pytest

from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.infer import infer
from resources.models import ModelUnusable
from resources.sampling import evenly, frame_numbers
from resources.store.tables import open_table
from task_defs import RenderError, TaskError, compile_task, prompt_digest
from tests.pipeline.arriving import inputs, media_of, shape
from tests.videos import number_of, video

av = pytest.importorskip("av")


@pytest.fixture
def watched(bench, folder, rows, endpoint):
    """Asks one question on each of two videos; returns the numbers of the frames that were sent."""
    (folder.path / "long.mp4").write_bytes(video(500, gop=50))

    def ask(spec, variant=None, count=1, more=(), **args):
        data = [{**row, "video": "long.mp4", **dict(more)} for row in rows(count)]
        before = len(endpoint.seen)
        task = folder.rows(data).task(doc_to_visual="video", video=spec)
        bench.infer(task, variant, **args)
        return [[number_of(data) for _, data in media_of(seen.body)] for seen in endpoint.seen[before:]]

    ask.file = folder.path / "long.mp4"
    return ask


def test_each_policy_sends_the_frames_it_names(watched):
    with av.open(str(watched.file)) as opened:
        whole = [n for n, frame in enumerate(opened.decode(video=0)) if frame.key_frame]
    assert watched({"keyframes": True, "max_frames": 4}) == [evenly(whole, 4)]
    ((first, *_),) = watched({"scenes": 0.9})
    assert first == 0
    assert watched({"around": "at", "seconds": 2, "fps": 5}, more={"at": "00:10"}) == [
        [225, 230, 235, 240, 245, 250, 255, 260, 265, 270, 275]
    ]
    assert watched({"around": "at", "seconds": 2, "num_frames": 2}, more={"at": 0.4}) == [[0, 35]]


def test_a_budget_of_tokens_is_kept_by_the_models_own_cost(watched):
    assert watched({"fps": 2, "max_tokens": 1000}, image_tokens=250) == [[0, 162, 325, 488]]
    assert len(watched({"fps": 2, "max_tokens": 1000}, image_tokens=100)[0]) == 10, "another cost is another question"
    assert watched({"fps": 2, "max_tokens": 1000}, image_tokens=100) == []


def test_a_budget_of_tokens_needs_to_know_the_cost(watched):
    with pytest.raises(ModelUnusable, match=r"what a picture costs this model is not known.*image_tokens=N"):
        watched({"fps": 2, "max_tokens": 1000})
    with pytest.raises(ModelUnusable, match="image_tokens='many': expected a whole number"):
        watched({"fps": 2, "max_tokens": 1000}, image_tokens="many")


def test_the_time_of_each_frame_stands_before_it(bench, folder, rows, endpoint):
    (folder.path / "v.mp4").write_bytes(video(100))
    data = [{**row, "video": "v.mp4"} for row in rows(1)]
    spec = {"num_frames": 3, "timestamps": True}
    bench.infer(folder.rows(data).task(doc_to_visual="video", doc_to_text="See <video> {{ question }}", video=spec))
    (seen,) = endpoint.seen
    assert shape(seen.body)[0][1] == "See <0.0s>[i]<2.0s>[i]<4.0s>[i] Question 0?"


def test_every_part_of_a_policy_is_part_of_the_question(folder):
    doc = {"id": "1", "question": "Owl?", "answer": "yes", "at": 3}
    specs = [
        {"num_frames": 4}, {"num_frames": 4, "timestamps": True}, {"num_frames": 4, "max_tokens": 900},
        {"keyframes": True}, {"keyframes": True, "max_frames": 8}, {"scenes": 0.3}, {"scenes": 0.4},
        {"fps": 2.0}, {"fps": 2.0, "around": "at", "seconds": 2.0}, {"fps": 2.0, "around": "at", "seconds": 3.0},
        {"num_frames": 4, "too_long": "resample"}, {"num_frames": 4, "too_long": "refuse"},
    ]  # fmt: skip
    tasks = [folder.task(video=spec) for spec in specs]
    assert len({inputs(task, doc, "video/mp4") for task in tasks}) == len(specs)
    assert len({inputs(task, doc, "image/png") for task in tasks}) == 1
    assert len({prompt_digest(task) for task in tasks}) == len(specs)


def test_an_older_policy_is_the_question_that_it_was(folder):
    """Written before there were others: another digest would ask every video question again."""
    doc = {"id": "1", "question": "Owl?", "answer": "yes"}
    task = folder.task(video={"fps": 2.0})
    assert task.video.model_dump(mode="json") == {"mode": "frames", "num_frames": None, "fps": 2.0, "max_frames": None}
    assert task.video.sampling() == {"fps": 2.0, "max_frames": 32}
    assert inputs(task, doc, "video/mp4") == "8a23d305c8dce2edcf9b9be1b3acf0c1"


def test_more_or_fewer_frames_are_a_variant_whose_items_are_the_same(watched, bench):
    spec = {"num_frames": 4}
    assert watched(spec) == [frame_numbers(500, 25, num_frames=4)]
    assert watched(spec, Variant(frames=4)) == [], "as many as the task says: answered"
    assert watched(spec, Variant(frames=2)) == [[0, 499]]
    assert Variant(frames=2).id == "frames=2"
    assert Variant.read(Variant(frames=2).text()) == Variant(frames=2)


def test_numbers_of_frames_that_come_to_the_same_frames_are_asked_once(watched, bench, folder, endpoint):
    """A video of 20 s has 40 frames at 2 a second, whatever limit above them is named. Each question has its answer."""
    spec = {"fps": 2, "max_frames": 64, "timestamps": True}
    (first, *_) = watched(spec, count=3)
    assert len(first) == 40
    before = len(endpoint.seen)
    assert watched(spec, Variant(frames=128), count=3) == []
    assert watched(spec, Variant(frames=40), count=3) == []
    ((*fewer,), *_) = watched(spec, Variant(frames=39), count=3)
    assert len(fewer) == 39
    assert len(watched(spec, Variant(frames=128, gen={"max_tokens": 9}), count=3)) == 3, (
        "other settings, another answer"
    )
    assert len(endpoint.seen) == before + 6
    keys = {row["request_key"] for row in rows_of(bench, folder, spec, {})}
    assert len(keys) == 15, "the questions are others all the same"


def test_the_same_frames_are_known_again_after_a_question_that_came_to_them_itself(watched, bench, folder):
    """Two items with one question: the copy of the first serves the second, which waits for the same request."""
    spec = {"num_frames": 500}
    assert len(watched(spec, count=2, more={"question": "Same?"})) == 1
    assert watched(spec, Variant(frames=512), count=2, more={"question": "Same?"}) == []
    rows = rows_of(bench, folder, spec, {})
    assert len(rows) == 4
    assert len({row["text"] for row in rows}) == 1


def test_a_question_that_does_not_fit_is_asked_with_fewer_frames_and_its_row_says_so(watched, bench, folder):
    known = {"image_tokens": 100, "context_tokens": 1000}
    gen = {"max_tokens": 16}
    spec = {"num_frames": 20, "too_long": "resample"}
    ((*sent,),) = watched(spec, Variant(gen=gen), **known)
    assert sent == [frame_numbers(500, 25, num_frames=20)[i] for i in (0, 2, 4, 7, 9, 11, 14, 16, 19)]
    (row,) = rows_of(bench, folder, spec, gen)
    assert json.loads(row["fitted"]) == {"by": "resample", "tokens": 2012, "limit": 984, "frames": 9, "of": 20}
    assert watched(spec, Variant(gen=gen), **known) == [], "it is the same question"
    assert len(watched(spec, Variant(gen=gen), image_tokens=100, context_tokens=900)[0]) == 8, "this is another"


def test_a_question_that_is_refused_for_its_length_is_a_row_with_the_reason(watched, bench, folder):
    gen = {"max_tokens": 16}
    spec = {"num_frames": 20, "too_long": "refuse"}
    assert watched(spec, Variant(gen=gen), image_tokens=100, context_tokens=1000) == []
    (row,) = rows_of(bench, folder, spec, gen)
    assert (row["error_kind"], row["text"]) == ("too_long", "")
    assert "about 2012 tokens with 20 frames" in row["error_message"]


def test_that_nothing_is_known_of_the_cost_is_said(bench, folder, rows):
    (folder.path / "v.mp4").write_bytes(video(50))
    data = [{**row, "video": "v.mp4"} for row in rows(1)]
    task = folder.rows(data).task(doc_to_visual="video", video={"num_frames": 2, "too_long": "refuse"})
    said: list[str] = []
    infer(bench.cell(task), bench.store, run_id="r", log=said.append)
    assert any("whether its frames fit is not checked" in line and "image_tokens=N" in line for line in said)


def rows_of(bench, folder, spec, gen):
    cell = bench.cell(folder.task(doc_to_visual="video", video=spec), Variant(gen=gen))
    return open_table(cell.outputs(bench.store).uri).to_table().to_pylist()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"num_frames": 2, "fps": 1}, "frames need one of"),
        ({"keyframes": False}, "keyframes"),
        ({"scenes": 1.5}, "less than 1"),
        ({"num_frames": 2, "max_frames": 2}, "num_frames is the number of frames itself"),
        ({"fps": 2, "around": "at"}, "`around` and `seconds` go together"),
        ({"fps": 2, "seconds": 3.0}, "`around` and `seconds` go together"),
        ({"fps": 2, "around": "at", "seconds": 3.0, "end": "end"}, "without `start` and `end`"),
        ({"fps": 2, "around": "{{ at", "seconds": 3.0}, "not Jinja"),
        ({"mode": "native", "timestamps": True}, "a native video is sent whole"),
        ({"fps": 2, "too_long": "cut"}, "'resample', 'window' or 'refuse'"),
    ],
)
def test_a_wrong_policy_is_told_with_its_line(folder, spec, words):
    with pytest.raises(TaskError, match=words) as told:
        folder.task(video=spec)
    assert told.value.problems[0].line


def test_a_row_without_its_time_is_told_with_its_item(folder):
    task = folder.task(video={"fps": 2, "around": "at", "seconds": 3.0})
    with pytest.raises(RenderError, match=r"item 7: ValueError: this row has no time for `around`"):
        compile_task(task).window({"at": None}, "7")
