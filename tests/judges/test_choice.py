"""Which option a text names, and the likeliest option of log-likelihoods."""

from __future__ import annotations

import asyncio
import math
from types import SimpleNamespace

import pytest

from judges import get_judge

CITIES = ("Paris", "The river", "Lyon", "dark red", "red")


def answer(text, choices=CITIES, target="B"):
    return get_judge("choice").judge({"target": target, "choices": choices}, text).answer


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("(B)", "B"),
        ("B.", "B"),
        ("b", "B"),
        ("A", "A"),
        ("**B**", "B"),
        (r"\boxed{\text{C}}", "C"),
        ("B: The river", "B"),
        ("B) because it flows", "B"),
        ("The answer is B", "B"),
        ("The answer is A", "A"),
        ("The correct answer is option C, not A.", "C"),
        ("answer: (c)", "C"),
        ("Final answer: d", "D"),
        ("I first thought (A).\nThe answer is (B).", "B"),
        ("(A) x\n(B) y\n(C) z\nThe answer is (C).", "C"),
        ("Let me see.\n\nE", "E"),
        ("Lyon", "C"),
        ("It must be Lyon, since it lies on the Rhone.", "C"),
        ("dark red", "D"),
        ("It looks dark red to me", "D"),
        ("B: Paris", "B"),  # letter and text disagree: the letter is what was asked for
    ],
)
def test_names_an_option(text, letter):
    assert answer(text) == letter


@pytest.mark.parametrize(
    "text",
    [
        "The",
        "A man is riding a horse",
        "I think it is a dog",
        "The answer is a horse",
        "The answer is A horse",
        "vitamin C is good for you",
        "Either (A) or (C)",
        "Paris or Lyon",
        "(A) Paris (B) The river (C) Lyon",
        "F",
    ],
)
def test_names_none(text):
    assert answer(text) is None


def test_a_letter_inside_a_word_is_no_option():
    # "The" was once scored as option T.
    assert answer("The", tuple("ABCDEFGHIJKLMNOPQRST")) is None


def test_options_that_are_letters_in_a_picture():
    letters = ("A", "B", "C", "D", "E")
    assert answer("Image B", letters) == "B"
    assert answer("Apples", letters) is None
    assert answer("Option B)", letters) == "B"


@pytest.mark.parametrize("target", ["B", "b", 1, "the river", "(B)"])
def test_labels_may_be_letter_text_or_index(target):
    assert get_judge("choice").judge({"target": target, "choices": CITIES}, "B").score == 1


def test_items_without_listed_options_have_letters():
    assert get_judge("choice").judge({"target": "C"}, "The answer is (C)").score == 1


def loglik(values, choices, target):
    response = SimpleNamespace(text="", finish_reason="stop", loglikelihoods=values, error=None)
    item = {"target": target, "choices": choices}
    return asyncio.run(get_judge("choice").judge_many([item], [response]))[0]


def test_loglikelihoods_by_sum_and_by_length():
    verdict = loglik((-4.0, -5.0), ("cat", "hippopotamus"), "A")
    assert (verdict.score, verdict.values["norm"], verdict.answer) == (1.0, 0.0, "A")
    verdict = loglik((-4.0, -5.0), ("cat", "hippopotamus"), "B")
    assert (verdict.score, verdict.values["norm"]) == (0.0, 1.0)


def test_tied_loglikelihoods_score_their_expectation():
    assert loglik((-1.0, -1.0, -2.0), ("a1", "b1", "c1"), "B").score == 0.5
    assert loglik((-1.0, -1.0, -2.0), ("a1", "b1", "c1"), "C").score == 0.0


def test_broken_loglikelihoods():
    broken = loglik((math.nan, -1.0), ("x1", "y1"), "A")
    assert (broken.score, broken.flags) == (0.0, ("no_answer",))
    assert "does not belong" in loglik((-1.0,), ("x1", "y1"), "A").unscored


def test_a_judge_of_text_does_not_guess_from_loglikelihoods():
    response = SimpleNamespace(text="", finish_reason="stop", loglikelihoods=(-1.0,), error=None)
    verdict = asyncio.run(get_judge("exact").judge_many([{"target": "x"}], [response]))[0]
    assert "holds log-likelihoods" in verdict.unscored


def test_loglikelihoods_by_bytes_and_by_tokens():
    """Three options that win by sum, per character, per byte and per token in turn."""
    choices, values = ("no", "日本", "abcdefgh"), (-3.0, -4.0, -9.0)
    item = {"target": "B", "choices": choices}
    response = SimpleNamespace(text="", finish_reason="stop", loglikelihoods=values, error=None)
    response.continuation_tokens = (1, 3, 4)
    verdict = asyncio.run(get_judge("choice").judge_many([item], [response]))[0]
    # per character -1.5, -2, -1.125; per byte -1.5, -0.67, -1.125; per token -3, -1.33, -2.25
    assert (verdict.score, verdict.values) == (0.0, {"norm": 0.0, "bytes": 1.0, "tokens": 1.0})
    response.continuation_tokens = None
    verdict = asyncio.run(get_judge("choice").judge_many([item], [response]))[0]
    assert math.isnan(verdict.values["tokens"]), "how many tokens is not known: neither right nor wrong"
    assert verdict.values["bytes"] == 1.0
