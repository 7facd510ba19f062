"""exact, contains, yes_no, number, function."""

from __future__ import annotations

import functools
import importlib.util
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges import Verdict, get_judge
from judges.numerals import find_numbers, parse_number


def score(spec, target, text):
    return get_judge(spec).judge({"target": target}, text).score


@pytest.mark.parametrize(
    ("options", "target", "text", "right"),
    [
        ({}, "Paris", "  paris\n", 1),
        ({}, "New York", "new   york", 1),
        ({"ignore_case": False}, "Paris", "paris", 0),
        ({}, "yes", "yes.", 0),
        ({"ignore_punctuation": True}, "it's 3.5", "It's 3.5!", 1),
        ({"ignore_punctuation": True}, "3.5", "35", 0),
        ({"ignore_punctuation": True}, "-2", "2", 0),
        ({"ignore_articles": True}, "cat", "The cat", 1),
        ({}, ["cat", "kitten"], "kitten", 1),
        ({}, 5, "5", 1),
        ({}, "ﬁve", "five", 1),
    ],
)
def test_exact(options, target, text, right):
    assert score({"name": "exact", **options}, target, text) == right


@pytest.mark.parametrize(
    ("target", "text", "right"),
    [
        ("cat", "A concatenation", 0),
        ("cat", "It is a Cat.", 1),
        ("New York", "in new  york city", 1),
        (["dog", "cat"], "one cat", 1),
        ("3", "13 and 35", 0),
        ("3", "room 3!", 1),
    ],
)
def test_contains(target, text, right):
    assert score("contains", target, text) == right


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes", "yes"),
        ("No, there is none. Yes?", "no"),
        ("There is a dog, so the answer is **yes**.", "yes"),
        ("no doubt is left. Answer: Yes", "yes"),
        ("I would say no", "no"),
        ("Perhaps", None),
        ("It could be yes or no", None),
        ("There are nouns", None),
    ],
)
def test_yes_no_words(text, answer):
    verdict = get_judge("yes_no").judge({"target": "yes"}, text)
    assert verdict.answer == answer
    assert verdict.flags == (() if answer else ("no_answer",))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("No", "no"),
        ("Maybe", "yes"),
        ("Yes. No other", "yes"),
        ("There is not, I think", "no"),
        ("NO", "yes"),  # as published
        ("no, it", "no"),
    ],
)
def test_yes_no_as_pope_published_it(text, answer):
    assert get_judge({"name": "yes_no", "rule": "pope"}).judge({"target": "no"}, text).answer == answer


def test_yes_no_counts():
    judge = get_judge("yes_no")
    cells = {("yes", "yes"): "tp", ("no", "yes"): "fp", ("yes", "no"): "fn", ("no", "no"): "tn"}
    for (target, text), name in cells.items():
        verdict = judge.judge({"target": target}, text)
        assert verdict.values == {k: float(k == name) for k in ("tp", "fp", "fn", "tn")}
    # Without an answer a present object is missed, and an absent one is not called present.
    assert judge.judge({"target": True}, "hm").values["fn"] == 1
    assert not any(judge.judge({"target": False}, "hm").values.values())


@pytest.mark.parametrize(
    ("spec", "target", "text", "right"),
    [
        ({}, "18", "She makes $18 a day.", 1),
        ({}, 1234.5, "Answer: $1,234.50", 1),
        ({}, "3/4", "0.75", 1),
        ({}, "3/4", "75%", 1),
        ({}, "25%", "25", 1),
        ({}, "1 1/2", "it is 1.5", 1),
        ({}, "-3", "The answer is 2 - 5 = -3.", 1),
        ({}, "3", "−3", 0),
        ({}, "0.1", "0.10", 1),
        ({}, "0.3", "0.30000000000000004", 0),
        ({}, "320000", "3.2e5", 1),
        ({}, "320000", r"$3.2 \times 10^{5}$", 1),
        ({}, "0.5", r"\boxed{\frac{1}{2}}", 1),
        ({}, "5", "The answer is obvious: 5. It took 3 steps.", 1),
        ({"tolerance": 0.01}, "3.14", "3.15", 1),
        ({"tolerance": 0.01}, "3.14", "3.151", 0),
        ({"tolerance": 0.05, "kind": "relative"}, "200", "210", 1),
        ({"tolerance": 0.05, "kind": "relative"}, "200", "211", 0),
        ({}, [3, "4"], "4", 1),
        ({}, "2", "H2O", 0),
    ],
)
def test_number(spec, target, text, right):
    assert score({"name": "number", **spec}, target, text) == right


def test_equal_numbers_have_equal_keys():
    judge = get_judge("number")
    keys = {judge.judge({"target": 1}, text).answer for text in ("1/2", "0.5", ".50", "2/4", r"\frac12", "$0.5")}
    assert keys == {"0.5"}


@given(st.fractions(max_denominator=10_000), st.booleans())
def test_a_number_written_out_reads_back(value, decimal):
    text = f"{value.numerator}/{value.denominator}"
    number = parse_number(text)
    assert number.value == value
    assert parse_number(number.key).value == value  # the key is itself a spelling of the number
    if decimal and value.denominator == 1:
        assert parse_number(f"{value.numerator:,}").value == value


@given(st.text(alphabet="0123456789.,/-% $e^x{}\\frac", max_size=40))
def test_any_text_is_read_without_an_error(text):
    for number in find_numbers(text):
        assert isinstance(number.value, Fraction)
        assert number.text in text


def test_division_by_zero_is_no_number():
    assert get_judge("number").judge({"target": 1}, "1/0").flags == ("no_answer",)


def words(item, text, most=3):
    return {"score": len(text.split()) <= most, "words": len(text.split()), "answer": text}


def test_function_judge_with_components():
    judge = get_judge({"name": "function", "function": words, "components": ["words"], "needs_target": False})
    verdict = judge.judge({}, "two words")
    assert (verdict.score, dict(verdict.values), verdict.answer) == (1.0, {"words": 2.0}, "two words")
    assert [metric.name for metric in judge.metrics] == ["score", "words"]


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (True, 1.0),
        (0.25, 0.25),
        (Verdict(0.5), 0.5),
        (float("nan"), None),
        ("right", None),
        ({"points": 1}, None),
        (None, None),
    ],
)
def test_what_a_function_may_return(returned, expected):
    judge = get_judge({"name": "function", "function": lambda item, text: returned})
    verdict = judge.judge({"target": 1}, "x")
    assert verdict.score == expected
    if expected is None:
        assert "judge error" in verdict.unscored


def test_function_digest_follows_the_source_and_the_bound_arguments(tmp_path):
    def load(body):
        path = tmp_path / "rule.py"
        path.write_text(f"def rule(item, text):\n    return {body}\n")
        spec = importlib.util.spec_from_file_location("rule", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return get_judge({"name": "function", "function": module.rule}).digest()

    first = load("True")
    assert load("True") == first
    assert load("False ") != first

    def bound(most):
        return get_judge({"name": "function", "function": functools.partial(words, most=most)}).digest()

    assert bound(3) == bound(3)
    assert bound(3) != bound(4)


def test_macro_f1_is_of_the_corpus():
    """6 yes and 4 no: 5 and 3 of them right."""
    judge = get_judge("yes_no")
    said = ["yes"] * 5 + ["no"] + ["no"] * 3 + ["yes"]
    rows = [judge.judge({"target": t}, s).values for t, s in zip(["yes"] * 6 + ["no"] * 4, said, strict=True)]
    metric = next(m for m in judge.metrics if m.name == "macro_f1")
    assert metric.kind == "corpus"
    found = metric.corpus([sum(row[name] for row in rows) for name in metric.sums])
    assert found == pytest.approx((10 / 12 + 6 / 8) / 2)
    assert math.isnan(metric.corpus([0, 0, 0, 4]))
