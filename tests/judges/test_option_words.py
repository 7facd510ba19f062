"""MMAU's rule: words of the right option and none of the others'."""

from __future__ import annotations

import pytest

from judges import get_judge

SPEAKERS = ("Man", "Woman", "Child", "Robot")  # questions of MMAU's test-mini
PAIRS = ("Woman and child", "Two men", "Two women", "A man and a child")


def judged(text, target, choices):
    return get_judge("option_words").judge({"target": target, "choices": choices}, text)


@pytest.mark.parametrize(
    ("text", "target", "choices", "score"),
    [
        ("Man", "Man", SPEAKERS, 1),
        ("(A) Man", "Man", SPEAKERS, 1),
        ("It is a man, speaking calmly.", "Man", SPEAKERS, 1),
        ("A man and a woman", "Man", SPEAKERS, 0),  # a word of another option
        ("Not a robot but a man", "Man", SPEAKERS, 0),
        ("A", "Man", SPEAKERS, 0),  # a letter is no word of the option
        ("Woman and child", "Woman and child", PAIRS, 1),
        # "a" belongs to another option and not to this one.
        ("A woman and her child", "Woman and child", PAIRS, 0),
        ("Child and woman", "Woman and child", PAIRS, 1),
        ("Woman", "Woman and child", PAIRS, 0),
        ("Two women", "Two men", PAIRS, 0),
    ],
)
def test_as_the_published_rule_has_it(text, target, choices, score):
    assert judged(text, target, choices).score == score


def test_the_key_is_the_option_that_the_response_would_be_right_for():
    assert judged("the robot", "Man", SPEAKERS).answer == "D"
    assert judged("Man or robot", "Man", SPEAKERS).answer == "man or robot"


def test_a_response_without_words_has_no_answer():
    assert judged("...", "Man", SPEAKERS).flags == ("no_answer",)
    assert judged("", "Man", SPEAKERS).flags == ("empty",)


def test_a_label_that_is_no_option_is_unscored():
    assert "unusable label" in judged("Man", "Dog", SPEAKERS).unscored
    assert "unusable label" in judged("Man", "Man", None).unscored
