"""Judges that ask a model, without one: what they would ask, and what they make of every kind of reply."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from judges import JudgeParameterError, get_judge
from judges.asking import Ask, NoClient, Reply
from judges.refusal import is_outright_refusal
from judges.reply import objects
from task_defs import load_task

ITEM = {"target": "7", "doc": {"question": "Which digit?"}}


class Says:
    """A client that answers by a function, and keeps what it was asked."""

    def __init__(self, reply: str | Callable[[Ask], Reply]) -> None:
        self.reply = (lambda ask: Reply(reply)) if isinstance(reply, str) else reply
        self.asked: list[Ask] = []

    async def ask(self, asks: Sequence[Ask]) -> list[Reply]:
        self.asked += asks
        return [self.reply(ask) for ask in asks]


def judged(spec: Any, reply: str | Callable[[Ask], Reply], answer: str = "seven", item: Any = None) -> Any:
    judge = get_judge(spec).with_client(Says(reply))
    return asyncio.run(judge.judge_many([item or ITEM], [answer]))[0]


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ('{"reason": "so", "score": 0.5}', 0.5),
        ('Sure! Here it is:\n```json\n{"score": 1,}\n```\nHope it helps.', 1),
        ("{'reason': 'python', 'score': 0.25}", 0.25),
        ('{"Score": "0.5"}', 0.5),
        ("Score: 1", 1),
        ("**Score:** 0.5.", 0.5),
        ("0.7", 0.7),
        ('<think>{"score": 0}</think>{"score": 1}', 1),
        ('{"score": 1} which is to say {"score": 1}', 1),
        ('{"reason": "braces { in } text", "score": 0}', 0),
    ],
)
def test_verdicts_are_found(said: str, score: float) -> None:
    assert judged("llm", said).score == score


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "judge answered nothing"),
        ("   \n", "judge answered nothing"),
        ("It is a fine answer.", "judge gave no verdict"),
        ("Die Antwort ist richtig.", "judge gave no verdict"),
        ('{"score": 2}', "judge gave no verdict"),
        ('{"score": true}', "judge gave no verdict"),
        ('{"score": null}', "judge gave no verdict"),
        ('{"score": NaN}', "judge gave no verdict"),
        ('{"punkte": 1}', "judge gave no verdict"),
        ('{"score": 1}\n{"score": 0}', "judge gave several verdicts"),
        ("{" * 5000, "judge gave no verdict"),
    ],
)
def test_what_is_no_verdict_is_unscored(said: str, reason: str) -> None:
    verdict = judged("llm", said)
    assert verdict.score is None
    assert verdict.unscored.partition(":")[0] == reason


@pytest.mark.parametrize(
    ("said", "grade"),
    [("correct", "correct"), ("Grade: **Not attempted**", "not_attempted"), ('{"grade": "INCORRECT"}', "incorrect")],
)
def test_grades(said: str, grade: str) -> None:
    spec = {"name": "llm", "grades": {"correct": 1, "incorrect": 0, "not_attempted": 0.25}}
    verdict = judged(spec, said)
    assert verdict.values[grade] == 1
    assert verdict.score == spec["grades"][grade]
    assert judged(spec, "both correct and incorrect").score is None


def test_a_scale_is_a_fraction_and_several_criteria_have_weights() -> None:
    assert judged({"name": "llm", "scale": [1, 5]}, '{"score": 4}').score == 0.75
    assert judged({"name": "llm", "scale": [0, 10]}, "Score: 8/10").score == 0.8
    spec = {"name": "llm", "criteria": {"facts": "true", "style": "plain"}, "weights": {"facts": 3}, "scale": [1, 5]}
    verdict = judged(spec, '{"scores": {"facts": 5, "style": 1}}')
    assert (verdict.values["facts"], verdict.values["style"], verdict.score) == (1, 0, 0.75)
    assert "no verdict: expected style" in judged(spec, '{"facts": 5}').unscored


def test_pairs_swapped() -> None:
    spec = {"name": "llm_pairwise", "baseline": "five"}
    first = judged(spec, '{"verdict": "A"}')
    assert (first.score, first.values["tie"], first.values["swap_disagrees"], first.values["first_wins"]) == (
        0.5,
        1,
        1,
        1,
    )
    better = judged(spec, lambda ask: Reply("A" if ask.slot == "first" else "[[B]]"))
    assert (better.score, better.values["win"], better.values["swap_disagrees"]) == (1, 1, 0)
    tie = judged(spec, "[[C]]")
    assert (tie.score, tie.values["swap_disagrees"]) == (0.5, 0)
    assert math.isnan(tie.values["first_wins"])
    assert judged(spec, "[[A]] and also [[B]]").unscored == "judge gave several verdicts: A and B"
    lost = judged(spec, lambda ask: Reply("A") if ask.slot == "first" else Reply(failure="judge refused: no"))
    assert lost.unscored == "judge refused: no"
    assert judged({**spec, "baseline": "{{ doc.gone }}"}, "A").unscored.startswith("unusable label: no baseline answer")
    assert judged(spec, "A", answer="").values["loss"] == 1


def test_a_judge_without_a_client_says_what_to_do() -> None:
    with pytest.raises(NoClient, match="with_client"):
        asyncio.run(get_judge("llm").judge_many([ITEM], ["seven"]))


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"prompt": "gone.j2"}, "no prompt file 'gone.j2'"),
        ({"prompt": "nonesuch"}, "no prompt 'nonesuch': there are criteria, grade, pairwise, score"),
        ({"prompt": "{{ question"}, "not a template"),
        ({"model": []}, "name of a judge model"),
        ({"model": ["a", "a"]}, "stands here twice"),
        ({"scale": [1, 1]}, "worst below the best"),
        ({"grades": {"a": 2}}, "points of `grades`"),
        ({"grades": {"a": 1}, "none": "b"}, "'b' is no grade"),
        ({"ratios": {"r": {"numerator": {"x": 1}, "denominator": {"score": 1}}}}, "no part x"),
        ({"temperature": 0}, "Valid parameters"),
    ],
)
def test_wrong_parameters_are_told(spec: dict[str, Any], told: str) -> None:
    with pytest.raises(JudgeParameterError, match=told):
        get_judge({"name": "llm", **spec})


def test_a_field_that_an_item_lacks_is_that_items_reason() -> None:
    verdict = judged({"name": "llm", "question": "{{ doc.nope }}"}, '{"score": 1}')
    assert verdict.unscored.startswith("judge error: the judge's prompt")
    assert "nope" in verdict.unscored


def test_the_prompts_text_is_part_of_the_digest_and_the_names_order_is_not() -> None:
    base = get_judge({"name": "llm", "rubric": "a", "samples": 2})
    assert base.digest() == get_judge({"samples": 2, "rubric": "a", "name": "llm"}).digest()
    assert base.digest() != get_judge({"name": "llm", "rubric": "b", "samples": 2}).digest()
    assert base.digest() != get_judge({"name": "llm", "rubric": "a", "samples": 2, "prompt": "{{ answer }}?"}).digest()


def test_refusals_and_what_only_sounds_like_one() -> None:
    for text in (
        "I'm sorry, but I can't help with that.",
        "I cannot assist with this request.",
        "Sorry, I am unable to identify people in pictures.",
        "Unfortunately, I can't see the image.",
    ):
        assert is_outright_refusal(text), text
    for text in (
        "I'm sorry, but there is no bird in the picture.",
        "I cannot see a cat.",
        "The answer is that I can't help with that." + " x" * 300,
        "I can't help with that. " + "But here is all that I know about it. " * 20,
    ):
        assert not is_outright_refusal(text), text


def test_objects_in_prose() -> None:
    assert objects('a {"x": {"y": 1}} b {\'z\': True} {no} {"w": 1,}') == [{"x": {"y": 1}}, {"z": True}, {"w": 1}]


def _task_judge(name: str) -> Any:
    from task_defs import judge_spec

    return get_judge(judge_spec(load_task(name)))


@pytest.mark.parametrize(
    ("task", "doc", "said", "score", "values"),
    [
        ("simpleqa", {"problem": "Who?"}, "A", 1, {"correct": 1}),
        ("simpleqa", {"problem": "Who?"}, "B: INCORRECT", 0, {"incorrect": 1}),
        ("simpleqa", {"problem": "Who?"}, "C", 0, {"not_attempted": 1}),
        ("simpleqa", {"problem": "Who?"}, "A or B", None, {}),
        ("simpleqa", {"problem": "Who?"}, "No idea", None, {}),
        ("mm_vet", {"question": "x?"}, "0.6", 0.6, {}),
        ("mm_vet", {"question": "x?"}, "1.0 |", 1.0, {}),
        ("mm_vet", {"question": "x?"}, "The", None, {}),
        ("mm_vet", {"question": "x?"}, "1.2", None, {}),
        ("activitynet_qa", {"question": "x?"}, "{'pred': 'yes', 'score': 4.8}", 1, {"rating": 0.8}),
        ("activitynet_qa", {"question": "x?"}, '{"pred": "no", "score": 2}', 0, {"rating": 0.4}),
        ("activitynet_qa", {"question": "x?"}, "{'pred': 'yes'}", None, {}),
        ("charxiv_reasoning", {"question": "x?", "kind": 3}, '{"extracted_answer": "3", "score": 1}', 1, {}),
        ("charxiv_reasoning", {"question": "x?", "kind": 1}, '{"extracted_answer": "3"}', None, {}),
        (
            "charxiv_descriptive", {"overarching": "x?", "question": "x?", "template": 18},
            '{"extract_answer_T1": "1 by 1", "score_T1": 0}', 0, {},
        ),
        ("llava_bench_wild", {"text": "x?", "context": "c", "reference": "r"}, "8 6\nBecause", 0.6, {"reference": 8}),
        ("llava_bench_wild", {"text": "x?", "context": "c", "reference": "r"}, "8, 6.5", 0.65, {"model": 6.5}),
        ("llava_bench_wild", {"text": "x?", "context": "c", "reference": "r"}, "Assistant 1: 8", None, {}),
    ],
)  # fmt: skip
def test_published_judges_read_their_replies(
    task: str, doc: dict[str, Any], said: str, score: float | None, values: dict[str, float]
) -> None:
    judge = _task_judge(task)
    client = Says(said)
    item = {"target": "the label", "doc": doc}
    verdict = asyncio.run(judge.with_client(client).judge_many([item], ["the model's words"]))[0]
    assert verdict.score == (score if score is None else pytest.approx(score))
    assert {name: verdict.values[name] for name in values} == values
    shown = client.asked[0].messages[-1][1]
    assert "the model's words" in shown
    assert "{{" not in shown
    assert "{%" not in shown


def test_charxiv_asks_by_the_rule_of_the_answers_kind() -> None:
    judge = _task_judge("charxiv_reasoning")
    texts = [
        judge.asks({"target": "t", "doc": {"question": "q?", "kind": kind}}, "r")[0].messages[0][1]
        for kind in (1, 2, 4)
    ]
    assert "referring to the same term" in texts[0]
    assert "predefined options" in texts[1]
    assert "exactly equal in values" in texts[2]
    assert all(text.count("### Your Turn ###") == 1 for text in texts)


def test_mm_vets_prompt_ends_as_the_published_one() -> None:
    judge = _task_judge("mm_vet")
    item = {"target": "-1<AND>-5", "doc": {"question": "What is x?"}}
    assert judge.asks(item, "x = -1")[0].messages[0][1].endswith("What is x? | -1 <AND> -5 | x = -1 | ")
    assert len(judge.asks(item, "x = -1")) == 5


def test_simpleqas_f_score_is_the_harmonic_mean() -> None:
    metric = {m.name: m for m in _task_judge("simpleqa").metrics}["f_score"]
    counts = {"correct": 40, "incorrect": 40, "not_attempted": 20}
    top = sum(w * counts[name] for name, w in metric.numerator.items())
    bottom = sum(w * counts[name] for name, w in metric.denominator.items())
    correct, given = 40 / 100, 40 / 80
    assert top / bottom == pytest.approx(2 * correct * given / (correct + given))
