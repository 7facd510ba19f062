"""Letters read by the rules of video and text benchmarks: answers with their authors' verdicts, and edges."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges import get_judge
from judges.letter_rules import LETTER_RULES, mmlu_pro
from tests.checked import check_of

PUBLISHED = json.loads((Path(__file__).parent / "published_letters_video.json").read_text(encoding="utf-8"))
FOUR = ("w", "x", "y", "z")


def judged(rule, text, target="A", choices=FOUR):
    return get_judge({"name": "choice", "rule": rule}).judge({"target": target, "choices": choices}, text)


def letter(rule, text, choices=FOUR):
    return judged(rule, text, choices=choices).answer


# Question, label, answer, whether the rule could read it, its verdict: Video-LLaVA's and Gemini's answers as the
# authors of TempCompass keep them with their verdicts (auto_eval_results). Where the rule fails a language model
# decided there; `--disable_llm` and we call it wrong.
MULTI_CHOICE = [
    ("A. dunking a basketball\nB. dribbling a basketball\nC. passing a basketball", "A. dunking a basketball",
     "The man in the video is dunking a basketball.", False, 0),
    ("A. dribbling a basketball\nB. dunking a basketball\nC. passing a basketball", "B. dunking a basketball",
     "A. dribbling a basketball", True, 0),
    ("A. skiing\nB. ice skating\nC. swimming", "B. ice skating", "B", True, 1),
    ("A. ice skating\nB. yoga\nC. running", "A. ice skating", "A. ice skating", True, 1),
    ("A. eating\nB. fighting\nC. sleeping\nD. dancing", "B. fighting", "A. eating", True, 0),
    ("A. 2x speed\nB. 1x speed\nC. 10x speed\nD. 0.5x speed", "B. 1x speed",
     "The video is playing at a normal speed.", False, 0),
    ("A. pause\nB. fast forward\nC. slow motion", "C. slow motion", "B.", True, 0),
    ("A. tennis\nB. soccer\nC. ice skating", "C. ice skating", "C.", True, 1),
    ("A. from left to right\nB. towards the camera\nC. from right to left", "A. from left to right", "B.", True, 0),
]  # fmt: skip
CAPTIONS = [
    ("Option 1: The man is dribbling a basketball.\nOption 2: A man is dunking a basketball.",
     "Option 2: A man is dunking a basketball.", "Option 2: A man is dunking a basketball.", True, 1),
    ("Sentence A: A man is dunking a basketball.\nSentence B: A video showing a person passing a basketball.",
     "Sentence A: A man is dunking a basketball.", "Sentence A.", True, 1),
    ("Caption A: A man is dunking a basketball.\nCaption B: The man is shooting a basketball.",
     "Caption A: A man is dunking a basketball.",
     "Caption B matches the video better as it shows the man shooting the basketball into the net.", False, 0),
    ("Sentence A: The man is moving from left to right.\nSentence B: The man is moving from right to left.",
     "Sentence A: The man is moving from left to right.", "Sentence B: The man is moving from right to left.", True, 0),
    ("Caption A: The people are ice skating.\nCaption B: The people are swimming.",
     "Caption A: The people are ice skating.",
     "Caption A matches the video better as it shows the people ice skating on an indoor rink.", False, 0),
    ("Caption A: The man is moving from right to left.\nCaption B: The man is moving from left to right.",
     "Caption B: The man is moving from left to right.", "B", True, 1),  # as lmms-eval reads it
    ("Option 1: The people are painting.\nOption 2: The people are dancing.",
     "Option 2: The people are dancing.", "(2) The people are dancing.", True, 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "options", "label", "text", "read", "score"),
    [("tempcompass", *case) for case in MULTI_CHOICE] + [("tempcompass_captions", *case) for case in CAPTIONS],
)
def test_tempcompass_answers_get_the_verdicts_of_its_authors(rule, options, label, text, read, score):
    verdict = judged(rule, text, label, tuple(options.split("\n")))
    assert verdict.score == score
    assert verdict.flags == (() if read else ("no_answer",))


@pytest.mark.parametrize(
    ("response", "answer", "score"),
    # Of the template of results that Video-MME's authors publish with their script.
    [("D", "A", 0), ("D", "D", 1), ("C", "A", 0), ("B", "B", 1), ("A.", "A", 1), ("A", "C", 0)],
)
def test_video_mme_answers_of_its_template(response, answer, score):
    assert judged("videomme", response, answer).score == score


@pytest.mark.parametrize(
    ("rule", "text", "found"),
    [
        ("videomme", "The best answer is: C", "C"),
        ("videomme", "(B) The river", "B"),
        ("videomme", "The answer: d", None),
        ("videomme", "Best option: C", "B"),  # the comma that the script lacks
        ("videomme", "The picture shows a Car", "C"),
        ("videomme", "E", None),
        ("videomme", "no letter in more than ten words, which the script asks for first, then looks", None),
        ("longvideobench", "Best option: C", "C"),
        ("longvideobench", "The correct answer is E. Because", "E"),
        ("longvideobench", "I do not know", None),
        ("mvbench", "(A) The tissue/notebook", "A"),
        ("mvbench", "(b", "B"),
        ("mvbench", "C.", "C"),
        ("mvbench", "D) the towel", "D"),
        ("mvbench", "(a), since", "A"),
        ("mvbench", "The answer is (A)", None),
        ("mvbench", "A\nbecause", "A"),
        ("mvbench", "Both", None),
        ("mlvu", "A) a dog", "A"),
        ("mlvu", "(B) a cat", "B"),
        ("mlvu", "The best option is (C) a cow.", "C"),
        ("mlvu", "D", "D"),
        ("mlvu", "D.", None),
        ("mlvu", ") nothing", None),
        ("streamingbench", "B. A map.", "B"),
        ("streamingbench", "The answer is B", "T"),  # a letter that is no option
        ("streamingbench", "b", None),
        ("perceptiontest", "Answer: B", "B"),
        ("perceptiontest", "A man opens it, so C", "A"),
        ("perceptiontest", "BAD", None),
        ("mmlu_pro", "... so the answer is (J).", "J"),
        ("mmlu_pro", "Answer: A or rather Answer: C\nAnswer: D", "C"),
        ("mmlu_pro", "A is wrong.\nIt must be B", "B"),
        ("mmlu_pro", "nothing", None),
        ("gpqa", "The correct answer is (C)", "C"),
        ("gpqa", "(A) would need more energy. Answer: (D)", "D"),
        ("gpqa", "It is (B), not (A)", "B"),
        ("gpqa", "The correct answer is C", None),
        ("gpqa", "The answer is (x). Answer: (B)", "B"),
    ],
)
def test_the_letter_that_a_rule_reads(rule, text, found):
    assert letter(rule, text) == found


@pytest.mark.parametrize("rule", sorted(set(LETTER_RULES) - {"tempcompass_captions"}))
@pytest.mark.real
def test_the_published_functions_say_the_same_of_4596_real_answers(rule, rows):
    questions = {row["id"]: row for row in rows("mathvision/test.jsonl")}
    compares = rule in ("mvbench", "mlvu", "tempcompass")  # with the label: another letter than an option's is none
    for model, letters in PUBLISHED[rule].items():
        found = []
        for given_answer in rows(f"mathvision/outputs/{model}.jsonl"):
            if options := questions[given_answer["id"]]["options"]:
                read = LETTER_RULES[rule](given_answer["response"], options) or "-"
                found.append("-" if compares and read not in "ABCDE"[: len(options)] else read)
        assert "".join(found) == letters, model
    checked = check_of("", name="choice", rule=rule)
    assert (checked.answers, checked.differing) == (sum(map(len, PUBLISHED[rule].values())), 0)


def test_a_random_option_is_wrong_here_and_its_expectation_stands_beside_it():
    for rule in ("longvideobench", "mmlu_pro"):
        verdict = judged(rule, "none")
        assert (verdict.score, verdict.flags, verdict.values["published"]) == (0.0, ("no_answer",), 0.25)
        assert judged(rule, "").values["published"] == 0.25
        assert judged(rule, "A").values["published"] == 1.0
    assert "published" not in judged("videomme", "none").values


def test_video_mme_leaves_out_what_it_cannot_read():
    judge = get_judge({"name": "choice", "rule": "videomme"})
    items = [{"target": "A", "choices": FOUR}] * 3
    verdicts = asyncio.run(judge.judge_many(items, ["A", "B", "none"]))
    metrics = {metric.name: metric for metric in judge.metrics}
    values = [{"score": v.score, **v.values} for v in verdicts]

    def total(parts):
        return sum(weight * value[name] for value in values for name, weight in parts.items())

    answered = metrics["accuracy_answered"]
    assert total(answered.numerator) / total(answered.denominator) == 1 / 2
    assert total(metrics["accuracy"].numerator) / 3 == pytest.approx(1 / 3)
    assert "accuracy_answered" not in {m.name for m in get_judge({"name": "choice", "rule": "mvbench"}).metrics}


@given(st.text("ABCJX aneswr:.\n()", max_size=60))
def test_mmlu_pros_second_rule_is_the_published_expression(text):
    if re.search(r"answer is \(?([A-J])\)?", text):
        return
    if published := re.search(r".*[aA]nswer:\s*([A-J])", text):
        assert mmlu_pro(text, ()) == published[1]


@pytest.mark.parametrize("rule", ["videomme", "mvbench", "mlvu", "mmlu_pro", "gpqa", "tempcompass_captions"])
def test_a_runaway_response_is_read_in_time(rule):
    start = time.process_time()
    judged(rule, "answer: (" * 20_000 + ") " * 20_000)
    assert time.process_time() - start < 2


def test_an_unknown_rule_names_those_there_are():
    with pytest.raises(ValueError, match=r"rule.*videomme"):
        get_judge({"name": "choice", "rule": "mme"})
