"""What is done to media before they are sent: nothing unless it is asked, and then within the limits."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from resources.media import MediaPolicy, limited, size_within
from resources.models import Media
from resources.models.pictures import BadPicture, decode_picture
from tests.videos import number_of, sound, video

SIDES = st.integers(1, 20_000)


def picture(kind: str = "PNG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **options) -> Media:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(buffer, kind, **options)
    return Media(buffer.getvalue(), f"image/{kind.lower()}", "0123456789abcdef")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_bytes_are_the_same_object_where_nothing_is_asked_or_nothing_is_to_be_done(kind):
    media = picture(kind)
    for policy in (MediaPolicy(), MediaPolicy(frames={"num_frames": 4}), MediaPolicy({}, 2400, 2400)):
        (sent,) = policy.prepare(media.data, media.mime, media.sha)
        assert sent.data is media.data
        assert (sent.mime, sent.sha) == (media.mime, media.sha)
    for data, mime in ((b"not even a sound", "audio/wav"), (b"nor a video", "video/mp4")):
        (sent,) = MediaPolicy({}, 1, 2).prepare(data, mime, "s")
        assert sent.data is data


@given(SIDES, SIDES, st.integers(1, 10**8))
@example(100_000, 1, 100)
@example(1814, 1814, 1_000_000)
@example(1, 1, 1)
def test_no_picture_has_more_pixels_than_the_limit(width, height, most):
    w, h = size_within((width, height), None, most)
    assert 1 <= w <= width
    assert 1 <= h <= height
    assert w * h <= most
    if width * height <= most:
        assert (w, h) == (width, height)
    elif min(width, height) * math.sqrt(most / (width * height)) > 1:
        assert (w + 1) * (h + 1) > most, "no smaller than needed"


@given(SIDES, SIDES, st.integers(1, 10**6))
def test_no_picture_has_fewer_pixels_than_the_limit(width, height, least):
    w, h = size_within((width, height), least, None)
    assert w * h >= least
    assert w >= width
    assert h >= height


@pytest.mark.parametrize(
    ("kind", "mode", "sent_as"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "L", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("PNG", "RGB", "image/png"),
        ("PNG", "RGBA", "image/png"),
        ("PNG", "P", "image/png"),
        ("PNG", "1", "image/png"),
        ("PNG", "I;16", "image/png"),
        ("WEBP", "RGB", "image/png"),
        ("GIF", "L", "image/png"),
    ],
)
def test_a_large_picture_is_scaled_in_its_own_format(kind, mode, sent_as):
    made = picture(kind, (600, 400), mode)
    small = limited(made, None, 6000)
    assert small.mime == sent_as
    assert small.sha not in ("", made.sha)
    with Image.open(io.BytesIO(small.data)) as image:
        assert image.size == (94, 63)
        image.load()
    shown, full = decode_picture(small), decode_picture(made).resize((94, 63))
    worst = max(abs(a - b) for a, b in zip(shown.tobytes(), full.tobytes(), strict=True))
    assert worst < 32, "it is the same picture"


def test_a_small_picture_is_enlarged():
    with Image.open(io.BytesIO(limited(picture(size=(30, 20)), 2400, 9600).data)) as image:
        assert image.size == (60, 40)


def test_a_picture_that_lies_on_its_side_is_turned_before_its_marks_are_lost():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to show it
    media = picture("JPEG", (600, 400), exif=exif)
    small = limited(media, None, 6000)
    assert decode_picture(media).size == (400, 600)
    assert decode_picture(small).size == (63, 94)
    top, bottom = (decode_picture(m).resize((4, 4)).getpixel((0, 2)) for m in (media, small))
    assert max(abs(a - b) for a, b in zip(top, bottom, strict=True)) < 16


def test_a_broken_picture_is_told():
    whole = picture("PNG", (600, 400))
    with pytest.raises(BadPicture, match=r"picture 0123456789ab \(image/png\) cannot be decoded"):
        limited(Media(whole.data[:-60], whole.mime, whole.sha), None, 600)
    with pytest.raises(BadPicture, match="cannot be decoded"):
        limited(Media(b"\x89PNG\r\n\x1a\n", "image/png", "0123456789abcdef"), None, 600)


def test_frames_of_a_video_keep_the_limits_too():
    pytest.importorskip("av")
    policy = MediaPolicy({"num_frames": 3}, None, 3500)
    sent = policy.prepare(io.BytesIO(video(9)), "video/mp4", "ab" * 32)
    assert [media.mime for media in sent] == ["image/jpeg"] * 3
    assert [number_of(media.data) for media in sent] == [0, 4, 8]
    sizes = {Image.open(io.BytesIO(media.data)).size for media in sent}
    assert sizes == {(72, 48)}
    assert len({media.sha for media in sent}) == 3


def test_only_what_it_changes_is_part_of_a_requests_inputs():
    policy = MediaPolicy({"num_frames": 3}, 5, 10)
    assert policy.changes(["audio"]) == policy.changes([]) == {}
    assert policy.changes(["image", "audio"]) == {"pixels": [5, 10]}
    assert policy.changes(["video"]) == {"frames": {"num_frames": 3}, "pixels": [5, 10]}
    assert MediaPolicy({}, 5, 10).changes(["video"]) == {}
    assert MediaPolicy().changes(["image", "video", "audio"]) == {}
    assert MediaPolicy({}, 5).prepare(sound(), "audio/wav", "s")[0].data == sound()
