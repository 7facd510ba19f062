"""anls, vqa, relaxed, mra, ocrbench: published rules for short answers, with their quirks."""

from __future__ import annotations

import pytest

from judges import get_judge
from judges.verdict import EMPTY
from judges.vqa_text import processed


def verdict(spec, target, text, **item):
    return get_judge(spec).judge({"target": target, **item}, text)


def score(spec, target, text, **item):
    return verdict(spec, target, text, **item).score


@pytest.mark.parametrize(
    ("target", "text", "expected"),
    [
        (["1:30 p.m."], "1:30 P.M.", 1.0),
        (["ITC Limited", "itc limited"], "itc  limited", 1.0),
        (["john"], "jon", 0.75),
        (["university of california"], "university of californ", 22 / 24),
        (["abcd"], "abxy", 0.5),  # exactly the threshold counts
        (["abcde"], "abxyz", 0.0),
        (["a b"], "a  c", 0.75),  # one of three letters differs, but the length is that of the text as it stands
        (["8"], "The answer is 8.", 0.0),
        ([7], "7", 1.0),
    ],
)
def test_anls(target, text, expected):
    assert score("anls", target, text) == pytest.approx(expected)


def test_anls_threshold_and_exactness():
    assert score({"name": "anls", "threshold": 0.3}, ["abcde"], "abxyz") == pytest.approx(0.4)
    assert verdict("anls", ["john"], "jon").values == {"exact": 0.0}
    assert verdict("anls", ["john"], "John").values == {"exact": 1.0}
    assert verdict("anls", ["john"], " ").flags == (EMPTY,)
    assert verdict("anls", [], "x").unscored.startswith("unusable label")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Nokia", "nokia"),
        ("Two", "2"),
        ("none", "0"),
        ("dont walk", "don't walk"),
        ("well-known", "well known"),
        ("well - known", "well known"),
        ("24/7", "24 7"),
        ("1,000", "1000"),
        ("3.5", "3.5"),
        ("U.S.A.", "usa"),
        ("mcdonald's", "mcdonald 's"),
        ("somebody'd", "somebodyd"),
        ("yes!", "yes"),
        ("a\nb", "b"),
        (". " * 40, " ".join(["."] * 8)),  # only 32 full stops are taken out
    ],
)
def test_the_answer_processor_of_the_vqa_challenges(text, expected):
    assert processed(text) == expected


@pytest.mark.parametrize(("same", "expected"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_vqa_accuracy_of_ten_people(same, expected):
    people = ["Nokia"] * same + [f"other{i}" for i in range(10 - same)]
    assert score("vqa", people, "nokia") == pytest.approx(expected)


def test_vqa_reads_vqav2s_answers_and_needs_several():
    people = [{"answer": "two", "answer_confidence": "yes"}] * 10
    found = verdict("vqa", people, "2")
    assert (found.score, found.answer) == (1.0, "2")
    assert "several people" in verdict("vqa", "two", "2").unscored
    assert "several people" in verdict("vqa", ["two"], "2").unscored


@pytest.mark.parametrize(
    ("target", "text", "right"),
    [
        ("14", "14.7", 1),
        ("14", "14.71", 0),
        ("100", "95", 1),
        ("100", "94.9", 0),
        ("-5", "-5.2", 1),
        ("Yes", "yes", 1),
        ("Yes", "yes.", 0),
        ("25%", "0.25", 1),  # a percent sign is a hundredth
        ("25%", "25", 0),
        ("0", "0.0", 0),  # a label of 0 is compared as text
        ("0", "0", 1),
        ("1200", "1,200", 0),
        ("France", "france", 1),
        ("2018", "2010", 1),  # a year is a number, too
    ],
)
def test_relaxed(target, text, right):
    assert score("relaxed", target, text) == right


def test_relaxed_tolerance():
    assert score({"name": "relaxed", "tolerance": 0.1}, "100", "91") == 1
    with pytest.raises(ValueError, match="tolerance"):
        get_judge({"name": "relaxed", "tolerance": -1})


@pytest.mark.parametrize(
    ("target", "text", "expected"),
    [
        ("4", "4", 1.0),
        ("4", "5", 0.6),  # off by 25 %: right at .5 to .75
        ("4", "2", 0.1),  # off by 50 %
        ("4", "1", 0.0),
        ("20", "21", 1.0),  # off by exactly 5 %, which counts at .95
        ("2.5", "2.5.", 1.0),
        ("2.5", "2.5 meters", 1.0),
        ("2.5", "about 2.5", 0.0),  # the authors take the first word
        ("3", "three", 0.0),
    ],
)
def test_mra(target, text, expected):
    assert score("mra", target, text) == pytest.approx(expected)


def test_mra_can_look_for_the_first_number_and_reads_options():
    assert score({"name": "mra", "number": "first"}, "1200", "about 1,200 square metres") == 1.0
    choices = ("A. left", "B. right")
    assert score("mra", "B", "b. right", choices=choices) == 1.0
    assert score("mra", "B", "B", choices=choices) == 1.0
    assert score("mra", "B", "The answer is B", choices=choices) == 0.0
    assert verdict("mra", "B", "(B)", choices=choices).answer == "(B)"
    assert "other than 0" in verdict("mra", "0", "0").unscored


@pytest.mark.parametrize(
    ("source", "target", "text", "right"),
    [
        ("IIIT5K", "CENTRE", "The word is centre.", 1),
        ("IIIT5K", ["12"], "2012", 1),  # inside of words as well
        ("docVQA", ["a\nb"], "it says A b", 1),
        ("HME100k", ["x ^ { 2 }"], "x^{2}", 1),
        ("HME100k", ["X ^ 2"], "x^2", 0),  # in formulas case counts
        ("SROIE", ["ＡＢ"], "AB", 0),
    ],
)
def test_ocrbench(source, target, text, right):
    assert score("ocrbench", target, text, doc={"dataset": source}) == right


def test_ocrbench_settings_and_bad_rows():
    assert score({"name": "ocrbench", "fold_width": True}, ["ＡＢ"], "ab", doc={"dataset": "SROIE"}) == 1
    assert verdict("ocrbench", ["6", "64"], "64", doc={"dataset": "x"}).answer == "64"
    assert "no field 'dataset'" in verdict("ocrbench", ["6"], "6").unscored
    assert "would stand in any response" in verdict("ocrbench", [""], "6", doc={"dataset": "x"}).unscored
