"""Published rules for options: verdict by verdict on real answers, and each rule's edges in a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from judges import get_judge
from judges.choice_rules import ASKING, RANDOM, RULES
from judges.letter_rules import LETTER_RULES
from judges.mmmu import MmmuJudge
from judges.verdict import EMPTY, NO_ANSWER
from tests.checked import check_of

PUBLISHED = json.loads((Path(__file__).parent / "published_letters.json").read_text(encoding="utf-8"))
POINTS = ("Point A", "Point B", "Point C", "Point D")
PETS = ("a dog", "a cat", "a fish", "a hen")
HISTORY = (
    "Migrations to areas of Central Asia for resettlement",
    "The spread of pathogens across the Silk Road",
    "Invasions by Mongol tribes",
    "Large-scale famine due to crop failures",
)
# GPT-4V on BLINK and Gemini on MMMU-Pro, from their authors' repositories, shortened in the middle.
TOOTHBRUSH = (
    "Point A is at the claw of the hammer.\nPoint D is on the handle of the hammer.\n\n"
    'Therefore, the corresponding point for the action "Brush/Dust" would be:\n(D) Point D'
)
WHISK = (
    "we should look for the part of the utensil.\n\n(A) Point A is at the tip of the whisk wires.\n(B) Point B is "
    "on the whisk wires.\n\nThe correct choice is (B) Point B, as it is the part of the second utensil."
)
NAIL = "This would be (A) Point A on the second image, as it is the closest to the base of the tines."
SHOE = (
    "- (A) Point A is on the top of the shoe.\n- (B) Point B is near the ankle.\n\n(D) Point D\n\n"
    'This is because Point D is the most similar location to where one might use the shoe to "scoop".'
)
PATHOGENS = (
    "* **B. The spread of pathogens across the Silk Road** \n\nLet's look at why the other options are less likely:\n\n"
    "* **A. Migrations to areas of Central Asia for resettlement:** While migrations did occur ...\n\nAnswer: B"
)


def answer(rule, text, choices):
    return get_judge({"name": "choice", "rule": rule}).judge({"target": 0, "choices": choices}, text).answer


@pytest.mark.parametrize(
    ("rule", "text", "choices", "letter"),
    [
        ("blink", TOOTHBRUSH, POINTS, "D"),
        ("blink", WHISK, POINTS, "B"),
        ("blink", NAIL, POINTS, "A"),
        ("blink", "(C)", POINTS, "C"),
        ("blink", "C", POINTS, "C"),
        # "The ..." is no T, and no letter of a word (lmms-eval #1434).
        ("blink", "The correct answer is (B) Point B.", POINTS, "B"),
        # What the rule leaves to a language model, `judges.options` reads.
        ("blink", "Point B, where the child is sitting, is closer. The answer is B.", POINTS, "B"),
        ("blink", SHOE, POINTS, None),
        ("mmmu", "(A) or (C). I choose (C)", PETS, "C"),
        ("mmmu", "(C) rather than (A)", PETS, "A"),
        ("mmmu", "The answer is B .", PETS, "B"),
        ("mmmu", "B.", PETS, "B"),
        ("mmmu", "A cat", PETS, "A"),  # the article, as published
        ("mmmu", "what we see here is surely a fish", PETS, "C"),
        ("mmmu", "a fish", PETS, None),  # no more than five words: option texts are not looked for
        ("mmmu", "image 2>", PETS, None),
        ("mmmu", "[(1 -", PETS, None),
        ("mmmu_pro", PATHOGENS, HISTORY, "B"),
        ("mmmu_pro", "Answer: D", HISTORY, "D"),
        ("mmmu_pro", "Answer: B. A cat", PETS, "A"),  # two letters behind it: the later step takes "A "
        ("mmmu_pro", "so it is B.", PETS, "B"),
        ("mmmu_pro", "It is VITAMIN", ("w", "x", "y", "z"), None),
        ("mmbench", "B", PETS, "B"),
        ("mmbench", "The answer is (C).", PETS, "C"),
        ("mmbench", "a cat", PETS, "B"),
        ("mmbench", "B. a cat", PETS, "B"),
        ("mmbench", "A dog and a cat", PETS, None),  # "A" is too far from the end, and two options are named
        ("mmbench", "Both A and B", PETS, None),
        ("mmstar", "(b) because", PETS, "B"),
        ("mmstar", "Option C", PETS, "C"),
        ("mmstar", "The answer is D.", PETS, "D"),
        ("mmstar", "Dogs", PETS, "D"),  # the first character, as published
        ("mmstar", "the letter is B", PETS, None),
        ("scienceqa", "B", PETS, "B"),
        ("scienceqa", "B\nbecause", PETS, "B"),
        ("scienceqa", "I see a hen. The answer is D", PETS, "D"),
        ("scienceqa", "E", PETS, None),
        ("scienceqa", "(B)", PETS, None),
        ("first_letter", "B. a cat", PETS, "B"),
        ("first_letter", "both", PETS, "B"),
        ("first_letter", "(B)", PETS, None),
        ("letter_and_dot", "B. a cat", PETS, "B"),
        ("letter_and_dot", "(b)", PETS, "B"),
        ("letter_and_dot", "B a cat", PETS, None),
        ("naturalbench", "No, it is not. Yes?", ("Yes", "No"), "B"),
        ("naturalbench", "Yesterday", ("Yes", "No"), None),
        ("naturalbench", "It is a dog: B", ("red", "blue"), "A"),  # the article, as published
        ("naturalbench", "B", ("red", "blue"), "B"),
    ],
)
def test_edges_of_each_rule(rule, text, choices, letter):
    assert answer(rule, text, choices) == letter


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"naturalbench"} - set(LETTER_RULES)))
@pytest.mark.real
def test_the_published_functions_say_the_same_of_4596_real_answers(rule, rows):
    questions = {row["id"]: row for row in rows("mathvision/test.jsonl")}
    for model, letters in PUBLISHED[rule].items():
        answers = [a for a in rows(f"mathvision/outputs/{model}.jsonl") if questions[a["id"]]["options"]]
        found = [RULES[rule](a["response"].strip(), questions[a["id"]]["options"]) or "-" for a in answers]
        assert "".join(found) == letters, model
    checked = check_of("", name="choice", rule=rule)
    assert (checked.answers, checked.differing) == (sum(map(len, PUBLISHED[rule].values())), 0)


@pytest.mark.real
def test_mmmu_judges_real_answers_as_published(rows):
    """Multiple choice and open: 9120 answers; where the published rule draws, its expectation is 1 / options."""
    questions = {row["id"]: row for row in rows("mathvision/test.jsonl")}
    judge = get_judge("mmmu")
    for model, letters in PUBLISHED["mmmu"].items():
        left, verdicts_open = iter(letters), iter(PUBLISHED["mmmu_open"][model])
        for given in rows(f"mathvision/outputs/{model}.jsonl"):
            asked = questions[given["id"]]
            verdict = judge.judge({"target": asked["answer"], "choices": asked["options"]}, given["response"])
            if not asked["options"]:
                assert verdict.score == verdict.values["published"] == float(next(verdicts_open))
            elif (letter := next(left)) == "-":
                assert (verdict.score, verdict.answer) == (0.0, None)
                assert verdict.values["published"] == 1 / len(asked["options"])
            else:
                assert verdict.score == verdict.values["published"] == float(letter == asked["answer"])
        assert next(left, None) is next(verdicts_open, None) is None
    checked = check_of("mmmu", name="mmmu")
    counted = sum(len(said) for key in ("mmmu", "mmmu_open") for said in PUBLISHED[key].values())
    assert (checked.answers, checked.differing) == (counted, 0)


def test_a_draw_is_wrong_and_flagged_and_its_expectation_stands_beside():
    verdict = get_judge({"name": "choice", "rule": "mmmu_pro"}).judge({"target": "A", "choices": PETS}, "no idea")
    assert (verdict.score, verdict.flags, verdict.values["published"]) == (0.0, (NO_ANSWER,), 0.25)
    verdict = get_judge({"name": "choice", "rule": "mmbench"}).judge({"target": "A", "choices": PETS}, " ")
    assert (verdict.score, verdict.flags, verdict.values["published"]) == (0.0, (EMPTY,), 0.2)


def test_only_rules_that_draw_offer_a_published_metric():
    offered = {name: {m.name for m in get_judge({"name": "choice", "rule": name}).metrics} for name in RULES}
    assert {name for name, names in offered.items() if "accuracy_published" in names} == set(RANDOM)
    assert {"mmbench", "blink"} == ASKING
    assert "published" not in get_judge("choice").components


def test_a_rule_without_options_says_what_is_missing():
    verdict = get_judge({"name": "choice", "rule": "mmstar"}).judge({"target": "A"}, "A")
    assert "name them in doc_to_choice" in verdict.unscored


@pytest.mark.parametrize(
    ("label", "text", "right"),
    [
        ("8.4", "V_CEQ is 8.40 V", 1),
        ("8.4", "so the voltage is 84", 0),  # not character by character (lmms-eval #1436): "8" is no answer
        ("10", "0", 0),
        ("-120", "It equals -120 VAR", 1),
        ("6.333", "= 6.33", 1),  # two decimals
        ("1,000", "it is 1000 dollars", 1),
        ("transformer", "The device is a Transformer.", 1),
        ("a", "the vitamin is a b complex", 1),  # one character needs a space beside it
        ("a", "cat", 0),
        (["24/7", "3.429"], "therefore x = 24/7", 1),
        (["24/7", "3.429"], "x is about 3.43", 1),
        ("20", "v = 0", 0),
    ],
)
def test_open_questions_of_mmmu(label, text, right):
    assert get_judge("mmmu").judge({"target": label}, text).score == right


def test_labels_that_mmmu_cannot_use():
    judge = get_judge("mmmu")
    assert isinstance(judge, MmmuJudge)
    assert judge.judge({"target": "?", "choices": PETS}, "A").unscored.startswith("unusable label")
    assert judge.judge({"target": " "}, "x").unscored.startswith("unusable label")
