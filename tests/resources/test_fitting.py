"""What is left out of a question that the model's context does not hold, and what is said of it."""

from __future__ import annotations

import io

import pytest

from resources.fitting import TURN_TOKENS, fitted
from resources.media import MediaPolicy
from resources.models import Media
from resources.models.picture_tokens import PictureTokens


def frames(count: int, size: tuple[int, int] = (10, 10)) -> tuple[Media, ...]:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, "JPEG")
    return tuple(Media(buffer.getvalue(), "image/jpeg", str(n), seconds=float(n)) for n in range(count))


def policy(too_long: str | None = "resample", context: int | None = 1000, answer: int = 100, **more) -> MediaPolicy:
    tokens = PictureTokens("of its pixels", lambda size: size[0] * size[1], len, context)
    return MediaPolicy({"num_frames": 100}, too_long=too_long, tokens=tokens, answer_tokens=answer, **more)


def times(found) -> list[list[float]]:
    return [[m.seconds for m in group] for group in found.groups]


def test_what_fits_to_the_token_is_left_as_it_is():
    words = "x" * (100 - TURN_TOKENS)
    found = fitted([words], [frames(8)], policy())  # 8 x 100 + 100 of 1000 - 100
    assert (times(found), found.note, found.too_long) == ([[0, 1, 2, 3, 4, 5, 6, 7]], None, "")
    assert fitted([words + "x"], [frames(8)], policy()).note is not None


@pytest.mark.parametrize(
    ("too_long", "kept"), [("resample", [0, 3, 6, 9, 12, 15, 19]), ("window", [6, 7, 8, 9, 10, 11, 12])]
)
def test_frames_that_are_too_many_are_left_out_by_the_policy(too_long, kept):
    found = fitted(["x" * 100], [frames(20)], policy(too_long))
    assert times(found) == [kept]
    assert found.note == {"by": too_long, "tokens": 2108, "limit": 900, "frames": 7, "of": 20}


def test_a_refusal_says_what_it_would_take():
    found = fitted(["x" * 100], [frames(20)], policy("refuse"))
    assert found.too_long == (
        "about 2108 tokens with 20 frames, and the model has 900 of its 1000 for them beside the answer"
    )


def test_a_question_of_which_not_one_frame_fits_is_refused():
    assert "with 3 frames" in fitted(["x" * 850], [frames(3)], policy()).too_long


def test_pictures_are_counted_and_stay_where_frames_are_left_out():
    picture = Media(frames(1, (20, 20))[0].data, "image/jpeg", "p")
    found = fitted(["x" * 92], [(picture,), frames(8)], policy())  # 400 + 100 of 900: four frames
    assert [len(group) for group in found.groups] == [1, 4]
    assert found.groups[0] == (picture,)


def test_times_that_are_told_cost_tokens_too():
    told = fitted(["x" * 92], [frames(8)], policy(timestamps=True))
    assert len(told.groups[0]) == 7


def test_what_is_not_known_is_not_checked():
    for unknown in (policy(None), policy(context=None), MediaPolicy({"num_frames": 100}, too_long="refuse")):
        assert len(fitted(["x"], [frames(50)], unknown).groups[0]) == 50
