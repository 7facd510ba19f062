"""A model reads the answer, a rule compares it: what is asked, what becomes of replies, and the tasks that do so."""

from __future__ import annotations

import asyncio
import math
from types import SimpleNamespace
from typing import Any

import pytest

from judges import JudgeParameterError, get_judge
from judges.asking import Reply
from task_defs import judge_spec, load_task
from tests.judges.test_llm import Says

PROMPT = "Extract the number.\n{{ question }}\n{{ answer }}\nExtracted: "
NUMBER = {"name": "llm_extract", "prompt": PROMPT, "then": "number"}
ITEM = {"target": "7", "doc": {"question": "How many?"}}


def judged(spec: Any, reply: Any, answer: Any = "seven it is", item: Any = ITEM) -> tuple[Any, list[str]]:
    """The verdict, and the prompts that the model got."""
    client = Says(reply)
    verdict = asyncio.run(get_judge(spec).with_client(client).judge_many([item], [answer]))[0]
    return verdict, [ask.messages[-1][1] for ask in client.asked]


def test_the_rule_sees_what_the_model_said_and_not_the_response() -> None:
    found, asked = judged(NUMBER, "7", "not 8 but seven")
    assert asked == ["Extract the number.\nHow many?\nnot 8 but seven\nExtracted: "]
    assert (found.score, found.answer, found.flags) == (1.0, "7", ())
    assert judged(NUMBER, "<think>or 7?</think> 8")[0].score == 0.0
    assert judged({**NUMBER, "then": {"name": "number", "tolerance": 1}}, "8")[0].score == 1.0


def test_metrics_components_and_flags_are_the_rules() -> None:
    spec = {"name": "llm_extract", "prompt": PROMPT, "then": "yes_no"}
    judge = get_judge(spec)
    assert [m.name for m in judge.metrics] == [m.name for m in get_judge("yes_no").metrics]
    assert set(get_judge("yes_no").components) < set(judge.components)
    item = {**ITEM, "target": "yes"}
    found, _ = judged(spec, "Yes", item=item)
    assert (found.score, found.values["tp"], found.values["fn"], found.answer) == (1.0, 1.0, 0.0, "yes")
    unread, _ = judged(spec, "I can find nothing", item=item)
    assert (unread.score, unread.values["fn"], unread.flags) == (0.0, 1.0, ("no_answer",))
    empty, asked = judged(spec, "Yes", answer="", item=item)
    assert asked == []
    assert (empty.score, empty.values["fn"], empty.flags) == (0.0, 1.0, ("empty",)), "the rule's worth of no answer"


def test_what_the_judge_cannot_say_is_unscored() -> None:
    assert judged(NUMBER, " ")[0].unscored == "judge answered nothing"
    assert judged(NUMBER, lambda ask: Reply(failure="judge refused: no"))[0].unscored == "judge refused: no"
    assert judged(NUMBER, "7", item={**ITEM, "target": "no number"})[0].unscored.startswith("unusable label")
    assert judged(NUMBER, "7", item={**ITEM, "target": None})[0].unscored == "missing label"


def test_samples_are_averaged_and_refusals_may_be_put_to_the_model() -> None:
    said = iter(["7", "8"])
    found, _ = judged({**NUMBER, "samples": 2}, lambda ask: Reply(next(said)))
    assert (found.score, found.answer) == (0.5, "7")
    assert [found.values[f"run{k}_score"] for k in (1, 2)] == [1.0, 0.0]
    refusal = "I'm sorry, but I can't help with that."
    wrong, asked = judged(NUMBER, "7", refusal)
    assert (wrong.score, wrong.flags, asked) == (0.0, ("refusal",), [])
    put, asked = judged({**NUMBER, "refusals": "ask"}, "8", refusal)
    assert (put.score, put.flags, len(asked)) == (0.0, ("refusal",), 1)


def only_digits(item: Any, text: str) -> str | None:
    if text == "broken":
        raise KeyError("a field that is not there")
    return text if text.isdigit() else None


def test_what_needs_no_reading_is_not_asked() -> None:
    spec = {**NUMBER, "known": only_digits}
    found, asked = judged(spec, "8", "7")
    assert (found.score, found.answer, asked) == (1.0, "7", [])
    assert (found.values["judge_asked"], found.values["length"]) == (0.0, 1.0)
    assert set(found.values) == set(get_judge(spec).components)
    assert len(judged(spec, "8", "it is 7")[1]) == 1
    broken, asked = judged(spec, "8", "broken")
    assert broken.unscored == "judge error: KeyError: 'a field that is not there'"
    assert asked == []


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "llm_extract", "then": "number", "prompt": ""}, "say what the model is asked"),
        ({"name": "llm_extract", "prompt": PROMPT}, "then: Field required"),
        ({**NUMBER, "then": "nummer"}, "no judge 'nummer'. Did you mean 'number'"),
        ({**NUMBER, "then": {"name": "number", "tolerence": 1}}, "Valid parameters: .*tolerance"),
        ({**NUMBER, "then": "llm"}, "'llm' is no rule on one text"),
        ({**NUMBER, "then": "cider"}, "'cider' is no rule on one text"),
    ],
)
def test_a_wrong_setting_is_told(spec: Any, message: str) -> None:
    with pytest.raises(JudgeParameterError, match=message):
        get_judge(spec)


def test_the_rule_and_what_is_known_are_part_of_the_digest() -> None:
    specs = [
        NUMBER, {**NUMBER, "then": "math"}, {**NUMBER, "then": {"name": "number", "tolerance": 1}},
        {**NUMBER, "known": only_digits}, {**NUMBER, "prompt": PROMPT + "!"},
    ]  # fmt: skip
    assert len({get_judge(spec).digest() for spec in specs}) == len(specs)


# --- the tasks of the catalogue --------------------------------------------------------------------


def of_task(name: str, item: Any, reply: Any, answer: str) -> tuple[Any, list[str]]:
    return judged(judge_spec(load_task(name)), reply, answer, item)


def mathvista(kind: str, target: str, choices: Any = None, precision: Any = None) -> Any:
    question_type = "multi_choice" if choices else "free_form"
    doc = {"query": "Hint: ...\nQuestion: x?", "question": "x?", "question_type": question_type, "answer_type": kind,
           "choices": choices, "precision": precision}  # fmt: skip
    return SimpleNamespace(target=target, choices=None if choices is None else tuple(choices), doc=doc)


FRACTIONS = ["3/11", "8/11", "6/11", "3/5"]


@pytest.mark.parametrize(
    ("item", "extraction", "score", "answer"),
    [
        (mathvista("text", "8/11", FRACTIONS), "B", 1, "8/11"),
        (mathvista("text", "8/11", FRACTIONS), "(b) 8/11", 1, "8/11"),
        (mathvista("text", "8/11", FRACTIONS), "8/12", 1, "8/11"),  # the nearest by edit distance
        (mathvista("text", "8/11", FRACTIONS), "b", 0, "3/5"),  # no option's letter: the nearest text is the shortest
        (mathvista("text", "8/11", FRACTIONS), "E", 0, "3/5"),
        (mathvista("text", "Yes", ["Yes", "No"]), "yes", 1, "Yes"),
        (mathvista("text", "Yes", ["Yes", "No"]), "The text does not say", 1, "Yes"),  # it always names one
        (mathvista("integer", "14"), "14", 1, "14"),
        (mathvista("integer", "14"), "14.9", 1, "14"),  # int() cuts off
        (mathvista("integer", "14"), "14 apples", 0, None),
        (mathvista("integer", "14"), "inf", 0, None),
        (mathvista("float", "1.4", precision=1.0), "1.38", 1, "1.4"),
        (mathvista("float", "1.2", precision=1.0), "1.25", 1, "1.2"),  # round() takes the even neighbour
        (mathvista("float", "1.45", precision=2.0), "$1.45", 0, None),
        (mathvista("list", "[2007, 2008]"), "[2007, 2008]", 1, "[2007, 2008]"),
        (mathvista("list", "[2007, 2008]"), "[2007,2008]", 0, "[2007,2008]"),
    ],
)
def test_mathvistas_rule_on_what_was_extracted(item: Any, extraction: str, score: float, answer: str | None) -> None:
    found, asked = of_task("mathvista_testmini_llm", item, extraction, "Let me see ...")
    assert len(asked) == 1
    assert (found.score, found.answer) == (score, answer)
    assert ("no_answer" in found.flags) == (answer is None)


def test_mathvistas_prompt_and_what_is_not_asked() -> None:
    _, [prompt] = of_task("mathvista_testmini_llm", mathvista("integer", "14"), "14", "There are 14.")
    assert prompt.startswith("Please read the following example. Then extract the answer from the model response and ")
    assert prompt.count("\n\nExtracted answer: ") == 6
    assert prompt.endswith(
        "Extracted answer: B\n\nHint: ...\nQuestion: x?\n\nThere are 14.\n\nExtracted answer: "
    )  # fmt: skip
    for item, response in (
        (mathvista("integer", "14"), "14"),
        (mathvista("float", "1.4", precision=1.0), "1.40"),
        (mathvista("text", "8/11", FRACTIONS), "8/11"),
    ):
        found, asked = of_task("mathvista_testmini_llm", item, "never", response)
        assert (found.score, asked) == (1.0, [])
    assert len(of_task("mathvista_testmini_llm", mathvista("integer", "14"), "14", "14.0")[1]) == 1  # int() refuses it


def dynamath(kind: str, target: str) -> Any:
    return {"target": target, "doc": {"question": "x?", "answer_type": kind}}


@pytest.mark.parametrize(
    ("kind", "response", "said", "asked", "score"),
    [
        ("float", '{"short answer": "2.094"}', "", None, 1),
        ("float", "The period is 2\\pi/3.", "2.094", "The period is 2pi/3.", 1),
        ("float", 'So {"solution": "x"} it is', "2.1", '{"solution": "x"}', 0),
        ("float", "The period is long.", "I cannot tell", "The period is long.", 0),
        ("multiple choice", "B", "", None, 1),
        ("multiple choice", "Either A or B, so B", "B", "Either A or B, so B", 1),
        ("text", "anything", "", None, 0),  # a text can always be read
    ],
)
def test_dynamath_asks_only_about_what_it_cannot_read(
    kind: str, response: str, said: str, asked: str | None, score: float
) -> None:
    target = {"float": "2.094", "multiple choice": "B", "text": "Even"}[kind]
    found, prompts = of_task("dynamath_llm", dynamath(kind, target), said, response)
    assert found.score == score
    if asked is None:
        assert prompts == []
        return
    instruction = {
        "float": "Output a three-digit floating-point number in a single line.",
        "multiple choice": "Output the corresponing choice option, such as 'A', 'B', 'C', 'D', in a single line.",
    }[kind]
    assert prompts == [f"Free-form answer: {asked}\nInstruction: {instruction}"]


def hallusion(category: str, figure: str) -> Any:
    doc = {"question": "Is it so?", "gt_answer_details": "It is so.", "category": category, "figure_id": figure}
    return {"target": "yes", "doc": doc}


@pytest.mark.parametrize(
    ("said", "category", "figure", "score", "unclear"),
    [
        ("Correct.", "VD", "0", 1, 0),
        ("incorrect", "VD", "1", 0, 0),
        ("The prediction is incorrect, not correct", "VS", "1", 0, 0),
        ("unclear", "VD", "0", 0, 1),
        ("unclear", "VS", "1", 0, 1),
        ("unclear", "VS", "0", 1, 1),  # without a figure, not to know is right
        ("incorrect", "VS", "0", 0, 0),
    ],
)
def test_hallusion_benchs_grades(said: str, category: str, figure: str, score: float, unclear: float) -> None:
    found, [prompt] = of_task("hallusion_bench_llm", hallusion(category, figure), said, "I think so.")
    assert (found.score, found.values["unclear"]) == (score, unclear)
    assert prompt.endswith(
        'please generate "unclear". \n\n Question:Is it so?\nReference answer: It is so.\n'
        "Prediction answer:I think so.\nOutput:"
    )


def test_hallusion_bench_without_a_grade_is_unscored_and_without_an_answer_wrong() -> None:
    found, _ = of_task("hallusion_bench_llm", hallusion("VD", "0"), "Ja, das stimmt.", "yes")
    assert found.unscored.startswith("judge gave no verdict: expected correct, incorrect or unclear, found 'Ja, das")
    empty, asked = of_task("hallusion_bench_llm", hallusion("VS", "0"), "unclear", "")
    assert (empty.score, empty.values["unclear"], empty.flags, asked) == (0.0, 0.0, ("empty",), [])
    unsure, asked = of_task("hallusion_bench_llm", hallusion("VS", "0"), "unclear", "I'm sorry, but I cannot see any.")
    assert (unsure.score, len(asked)) == (1.0, 1)


def test_mmvp_is_graded_yes_or_no() -> None:
    doc = {"question": "Open or closed?", "options": ["Open", "Closed"], "answer": "(a)"}
    item = {"target": "A", "choices": ("Open", "Closed"), "doc": doc}
    found, [prompt] = of_task("mmvp_llm", item, "Yes", "It is open.")
    assert prompt == (
        "Given the following question Open or closed? (a) Open (b) Closed, the correct answer is (a). "
        "Does the following answer correctly answers the question, answer:It is open.?"
    )
    assert found.score == 1.0
    assert of_task("mmvp_llm", item, "no", "It is open.")[0].score == 0.0
    assert of_task("mmvp_llm", item, "It depends.", "It is open.")[0].unscored.startswith("judge gave no verdict")
    assert math.isnan(found.values["judge_sd"])
