"""MATH-Vision's published rule: its oddities, and its value beside ours. Recorded answers: test_published.py."""

from __future__ import annotations

import pytest

from judges import get_judge, math_worker, mathvision


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("(B)", "b"),
        ("I would say (B).", "b"),
        ("B\nbecause it is larger", "b"),
        ("The area is 12.", "12"),
        ("The answer is 4/3.", "4/3"),  # the full stop keeps it from becoming a fraction
        ("4/3", r"\frac{4}{3}"),
        ("The correct answer is 7 apples. Or 8.", "7apples"),
        (r"First \boxed{1}, then \boxed{x = 2 km}.", "2"),
        (r"\boxed{45^\circ}", "45"),
        (r"$5 \text{ units}$", "5"),
        (r"\frac12", r"\frac12"),  # braces come only beside a root
        (r"\frac12\sqrt3", r"\frac{1}{2}\sqrt{3}"),
        (".5", r"\frac{1}{2}"),
        ("50%", "50%"),
        ("The mat weighs two kilos", "thematweighstwokilos"),
    ],
)
def test_where_it_finds_the_answer(response, answer):
    assert mathvision.read(response) == answer


@pytest.mark.parametrize(
    ("wanted", "response", "right"),
    [
        (["60"], "60", True),
        (["B", "12 cm"], "B", True),
        (["B", "12 cm"], "12 cm", False),  # the text loses its space, and a unit has no value
        (["1/3"], "0.33", True),
        (["2018"], r"\sqrt{2018^2+2}", True),
        ([r"$60^{\circ}$"], "60", False),
        (["50"], "50%", False),
        (["50"], r"$50\%$", True),
        ([r"3\frac{1}{2}"], "3.5", False),  # a product
        ([r"3\frac{1}{2}"], "1.5", True),
        (["(1/2,3)"], r"(0.5,\sqrt{9})", True),
        (["(1,2)"], "(2,1)", False),
        ([r"e^2"], "7.39", True),
        (["2.72"], "e", False),
        (["x"], "y", False),
        (["5"], "", False),
    ],
)
def test_what_it_takes_for_equal(wanted, response, right):
    assert mathvision.right(wanted, response, math_worker.value) is right


def test_its_verdict_stands_beside_ours():
    judge = get_judge({"name": "math", "published": "mathvision"})
    assert [m.name for m in judge.metrics] == ["accuracy", "accuracy_published"]
    angle = judge.judge({"target": r"$60^{\circ}$"}, "60")
    assert (angle.score, angle.values["published"]) == (1.0, 0.0)
    third = judge.judge({"target": "1/3"}, "0.33")
    assert (third.score, third.values["published"]) == (0.0, 1.0)
    option = judge.judge({"target": "B", "choices": ["1", "2"]}, "It must be the second one, (B).")
    assert (option.score, option.values["published"]) == (1.0, 1.0)
    assert judge.judge({"target": "5"}, "").values == {"published": 0.0}
    assert judge.judge({"target": None}, "5").unscored == "missing label"
    assert get_judge("math").judge({"target": "1/3"}, "0.33").values == {}


def test_a_value_without_end_equals_nothing(monkeypatch):
    monkeypatch.setattr(math_worker, "CPU_SECONDS", 0.5)
    judge = get_judge({"name": "math", "published": "mathvision"})
    assert judge.judge({"target": "7"}, "9!!!").values == {"published": 0.0}
