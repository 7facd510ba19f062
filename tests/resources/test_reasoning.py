"""What was thought and what was answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.models.base import ModelUnusable, Response
from resources.models.reasoning import DEFAULT_TAGS, separated, split, tags_of, whole

PIECES = st.sampled_from([t for pair in DEFAULT_TAGS for t in pair] + ["42", " ", "\n", "so 6 * 7", "</b>", "<"])


@given(st.lists(PIECES, max_size=8).map("".join))
def test_nothing_is_lost(text):
    reasoning, answer = split(text)
    assert reasoning + answer == text
    response = Response("0", text=text, usage={"prompt_tokens": 1})
    assert whole(separated(response)) == response
    assert separated(separated(response)) == separated(response)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("42", "42"),
        ("<think>6 * 7</think>\n\n42", "42"),
        ("\n<think>\n6 * 7\n</think>42", "42"),
        ("<THINK>x</Think> 42", "42"),
        ("<think></think>42", "42"),
        ("◁think▷x◁/think▷42", "42"),
        ("[THINK]x[/THINK]42", "42"),
        ("<think>a</think><think>b</think>42", "42"),
        ("<think>a</think> <reflection>b</reflection> 42", "42"),
        ("<think>a <thought> b</think>42", "42"),
        ("6 * 7, I think</think>\n42", "42"),  # the template put the opening tag into the prompt
        ("<think>cut at the lim", ""),
        ("<think>a</think><think>cut", ""),
        ("<think>6 * 7</think>", ""),
        ("42 <think>really?</think> yes", "42 <think>really?</think> yes"),  # not at the start
        ("a < b and <b>bold</b>", "a < b and <b>bold</b>"),
    ],
)
def test_the_answer_is_what_comes_after(text, answer):
    assert split(text)[1] == answer


def test_a_cut_thought_leaves_an_empty_answer_that_says_it_was_cut():
    found = separated(Response("0", text="<think>hm", finish_reason="length"))
    assert (found.text, found.reasoning, found.finish_reason) == ("", "<think>hm", "length")


def test_what_came_apart_stays_and_log_likelihoods_have_none():
    apart = Response("0", text="<think>quoted</think>", reasoning="I shall quote a tag")
    assert separated(apart) is apart
    assert whole(apart) is apart
    scored = Response("0", loglikelihoods=(-1.0,))
    assert separated(scored) is scored


def test_other_tags():
    text = "<scratch>6 * 7</scratch>42"
    assert split(text) == ("", text)
    assert split(text, tags_of("scratch"))[1] == "42"
    assert split("«x» 42", tags_of([["«", "»"], "scratch"])) == ("«x» ", "42")
    assert split("<think>x</think>42", tags_of("scratch"))[0] == ""
    assert tags_of(None) == DEFAULT_TAGS
    assert tags_of("none") == tags_of([]) == tags_of(False) == ()
    assert split("<think>x</think>42", ()) == ("", "<think>x</think>42")


@pytest.mark.parametrize("value", ["<think>", 3, [["a"]], [["a", ""]], {"open": "a"}, True, ""])
def test_tags_that_are_none_are_told(value):
    with pytest.raises(ModelUnusable, match="a tag's name, such as think"):
        tags_of(value)
