"""Finding the answer in a text."""

from __future__ import annotations

import time

import pytest

from judges import get_judge
from judges.extract import Extract, extract, strip_reasoning


def found(text, how, choices=None):
    return extract(text, Extract.model_validate(how), choices)


@pytest.mark.parametrize(
    ("text", "how", "answer"),
    [
        (" all of it ", "whole", "all of it"),
        ("one\ntwo\n\n", "last_line", "two"),
        (r"\boxed{1} then \boxed{\frac{1}{2}}", "boxed", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", "boxed", r"\{1, 2\}"),
        (r"\boxed{never closed", "boxed", None),
        ("Answer: 3\nANSWER: 4 \nmore", {"after": "answer:"}, "4"),
        ("no marker", {"after": "answer:"}, None),
        ("A: 1\nA: 2", {"pattern": "A: (.*)"}, "2"),
        ("A: 1\nA: 2", {"pattern": "A: (.*)", "which": "first"}, "1"),
        ("see 17b", {"pattern": r"\d+\w"}, "17b"),
        ("The final answer is **12**. I checked.", "answer", "12"),
        ("Answer to the question: 5 apples", "answer", "5 apples"),
        ("from 3 to 1,204 euros", "last_number", "1,204"),
        ("nothing here", ["boxed", "last_number", "last_line"], "nothing here"),
    ],
)
def test_methods(text, how, answer):
    assert found(text, how) == answer


def test_choice_method_gives_the_letter():
    assert found("I would say (b)", "choice", ("red", "blue")) is None
    assert found("The answer is (b)", "choice", ("red", "blue")) == "B"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("<think>is it 4? no</think>5", "5"),
        ("<thinking>4</thinking> 5 <think>6</think> 7", " 5  7"),
        ("the opening tag was in the prompt: 4</think>5", "5"),
        ("5 <think>never ends 4", ""),
        ("no tags", "no tags"),
        ("◁think▷4◁/think▷5", "5"),
    ],
)
def test_reasoning_is_dropped_and_an_open_one_leaves_no_answer(text, rest):
    assert strip_reasoning(text) == rest


def test_reasoning_can_be_kept():
    text, item = "<think>7", {"target": 7}
    assert get_judge("number").judge(item, text).flags == ("no_answer",)
    kept = get_judge({"name": "number", "extract": {"strip_reasoning": False, "methods": ["last_number"]}})
    assert kept.judge(item, text).score == 1


def test_long_texts_stay_cheap():
    started = time.perf_counter()
    for text in (r"\boxed{" * 30_000, "<think>" * 30_000, "answer is " * 20_000, "1 " * 50_000, "(" * 100_000):
        for name in ("number", "choice", "yes_no", "exact", "math"):
            get_judge(name).judge({"target": "no" if name == "yes_no" else "3", "choices": ["3", "4"]}, text)
        assert found(text, {"pattern": "zz(.*)"}) is None
    assert time.perf_counter() - started < 10
