"""Where media stand in a prompt."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_defs import place_media


def short(parts) -> str:
    return "".join(f"[{p[1]}]" if p[0] == "media" else str(p[1]) for p in parts)


@pytest.mark.parametrize(
    ("text", "n", "wanted"),
    [
        ("Which?", 0, "Which?"),
        ("Which?", 2, "[0][1]Which?"),
        ("A <image> B <image> C", 2, "A [0] B [1] C"),
        ("A <image2> B <image1> C", 2, "A [1] B [0] C"),
        ("A <image 2> B <image_1>", 2, "A [1] B [0]"),
        ("A <image1> and again <image1>", 1, "A [0] and again <image1>"),
        ("A <image1> <image2> <image3>", 1, "A [0] <image2> <image3>"),
        ("A <image2> B <image>", 2, "A [1] B [0]"),
        ("A <image> B", 3, "[1][2]A [0] B"),
        ("A <image> B", 0, "A <image> B"),
        ("A <video> B <audio>", 2, "A [0] B [1]"),
        ("A <img> <image0> </image>", 1, "[0]A <img> <image0> </image>"),
        ("", 1, "[0]"),
        ("<image>", 1, "[0]"),
    ],
)
def test_placement(text, n, wanted):
    assert short(place_media(text, n)) == wanted


@pytest.mark.parametrize(
    ("text", "kinds", "wanted"),
    [
        ("Hear <audio>, see <image>", ["image", "audio"], "Hear [1], see [0]"),
        ("<image2> <audio1>", ["image", "audio", "image"], "[0][2] [1]"),
        ("<video>", ["image"], "[0]<video>"),
        ("<image>", [""], "[0]"),  # a missing medium has no known kind
    ],
)
def test_placement_by_kind(text, kinds, wanted):
    assert short(place_media(text, len(kinds), kinds)) == wanted


def test_no_text_and_no_media_is_one_empty_text():
    assert place_media("", 0) == (("text", ""),)


pieces = st.lists(
    st.one_of(
        st.text(max_size=5),
        st.sampled_from(["<image>", "<image1>", "<image2>", "<image12>", "<video>", "<audio>", "<video3>"]),
    )
)


@given(pieces, st.integers(0, 5))
def test_each_medium_stands_exactly_once_and_no_text_is_lost(words, n):
    text = "".join(words)
    parts = place_media(text, n)
    assert sorted(p[1] for p in parts if p[0] == "media") == list(range(n))
    assert all(p[1] for p in parts if p[0] == "text") or parts == (("text", ""),)
    # Put a pattern for a placeholder where a medium stands: the whole must be the text again.
    first = next((i for i, p in enumerate(parts) if p[0] == "text"), len(parts))
    lead = parts[:first]
    for skipped in range(len(lead) + 1):  # media before the text, then perhaps a placeholder at its start
        pattern = "".join("<[a-z]+[0-9]*>" if p[0] == "media" else re.escape(str(p[1])) for p in parts[skipped:])
        if re.fullmatch(pattern, text, re.DOTALL):
            break
    else:
        pytest.fail(f"{text!r} became {parts!r}")


@given(st.permutations(range(4)))
def test_numbers_are_followed_in_any_order(order):
    text = "".join(f"{i}=<image{i + 1}>" for i in order)
    assert short(place_media(text, 4)) == "".join(f"{i}=[{i}]" for i in order)
