"""The rules that all judges share: what is unscored, what is wrong and flagged, in which order."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from judges import JudgeParameterError, UnknownJudge, Verdict, get_judge, judge_names
from judges.verdict import EMPTY, NO_ANSWER, REFUSAL, TRUNCATED


def response(text="", finish_reason="stop", loglikelihoods=None, error=None):
    return SimpleNamespace(text=text, finish_reason=finish_reason, loglikelihoods=loglikelihoods, error=error)


def judge_all(judge, items, responses):
    return asyncio.run(judge.judge_many(items, responses))


SPECS = ["exact", "contains", "choice", "yes_no", "number", "math", {"name": "function", "function": len}]
ITEM = {"target": "B", "choices": ["yes", "no"]}
TARGETS = {"yes_no": "no", "number": "3"}


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_infrastructure_and_data_faults_are_unscored_for_every_judge(spec):
    judge = get_judge(spec)
    item = {**ITEM, "target": TARGETS.get(judge.name, "B")}
    failed = response("B", error=SimpleNamespace(kind="timeout", message="after 60 s"))
    lost, unlabelled = judge_all(judge, [item, {**item, "target": None}], [failed, response("B")])
    assert lost.unscored == "no response: timeout: after 60 s"
    assert unlabelled.unscored == "missing label"
    assert judge_all(judge, [item], [response("B", "error")])[0].score is None


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_an_empty_text_scores_zero_with_every_component(spec):
    judge = get_judge(spec)
    item = {**ITEM, "target": TARGETS.get(judge.name, "B")}
    verdict = judge.judge(item, " \n")
    assert (verdict.score, verdict.flags, verdict.answer) == (0.0, (EMPTY,), None)
    assert set(verdict.values) == set(judge.components)
    needed = {name for metric in judge.metrics for name in metric.components}
    assert needed <= {"score", *judge.components}


def test_truncation_is_flagged_and_an_extracted_answer_still_judged():
    right, cut = judge_all(
        get_judge("number"), [{"target": 3}] * 2, [response("it is 3", "length"), response("so we", "length")]
    )
    assert (right.score, right.flags) == (1.0, (TRUNCATED,))
    assert (cut.score, cut.flags) == (0.0, (TRUNCATED, NO_ANSWER))


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("I'm sorry, but I can't help with that.", REFUSAL),
        ("As an AI language model, I have no eyes.", REFUSAL),
        ("Sorry to say, the dog is outside the frame", NO_ANSWER),
        ("I can see a dog.", NO_ANSWER),
    ],
)
def test_refusal_is_only_what_clearly_is_one(text, flag):
    assert get_judge("number").judge({"target": 3}, text).flags == (flag,)


def test_a_text_with_an_answer_is_no_refusal():
    verdict = get_judge("number").judge({"target": 3}, "I'm sorry, I cannot see it well, but: 3")
    assert (verdict.score, verdict.flags) == (1.0, ())


def test_items_may_be_objects_and_order_is_kept():
    @dataclass
    class Thing:
        target: object
        choices: tuple[str, ...] | None = None
        doc: object = None

    items = [Thing(i) for i in range(600)]
    verdicts = judge_all(get_judge("number"), items, [response(str(i)) for i in range(600)])
    assert [v.answer for v in verdicts] == [str(i) for i in range(600)]
    assert all(v.score == 1 for v in verdicts)


def test_one_bad_item_leaves_the_others_judged():
    def fragile(item, text):
        if text == "bad":
            raise KeyError("no such field")
        return True

    judge = get_judge({"name": "function", "function": fragile})
    good, bad, last = judge_all(judge, [{"target": 1}] * 3, ["x", "bad", "y"])
    assert (good.score, last.score) == (1.0, 1.0)
    reason, _, trace = bad.unscored.partition("\n")
    assert reason == "judge error: KeyError: 'no such field'"
    assert 'raise KeyError("no such field")' in trace  # the line that its author must mend


def test_an_unusable_label_is_the_data_sets_fault_even_for_an_empty_text():
    for name, target in [("number", "about five"), ("yes_no", "perhaps"), ("choice", "Z")]:
        verdict = get_judge(name).judge({"target": target, "choices": ["a dog", "a cat"]}, "")
        assert verdict.score is None
        assert verdict.unscored.startswith("unusable label")


def test_lengths_must_match():
    with pytest.raises(ValueError, match="2 items but 1 responses"):
        judge_all(get_judge("exact"), [ITEM, ITEM], ["x"])


def test_judging_does_not_stop_the_event_loop():
    def slow(item, text):
        end = time.perf_counter() + 0.02
        while time.perf_counter() < end:
            pass
        return True

    async def watch():
        judge = get_judge({"name": "function", "function": slow})
        work = asyncio.create_task(judge.judge_many([{"target": 1}] * 40, ["x"] * 40))
        ticks = 0
        while not work.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(watch()) > 10  # 0.8 s of work; a stopped loop ticks once


def test_unknown_judges_and_parameters_say_what_would_be_right():
    with pytest.raises(UnknownJudge, match=r"Did you mean 'choice'"):
        get_judge("choise")
    with pytest.raises(UnknownJudge, match=r"contains, exact, function"):
        get_judge({"nme": "x"})
    with pytest.raises(JudgeParameterError, match=r"tolerence.*Valid parameters: extract, kind, tolerance"):
        get_judge({"name": "number", "tolerence": 1})
    with pytest.raises(JudgeParameterError, match="not a regular expression"):
        get_judge({"name": "exact", "extract": {"pattern": "("}})
    with pytest.raises(JudgeParameterError, match="extract"):
        get_judge({"name": "exact", "extract": "boxd"})
    with pytest.raises(JudgeParameterError, match="pass the function itself"):
        get_judge({"name": "function", "function": "my.module.rule"})


def test_every_listed_judge_can_be_had():
    needs = {
        "function": {"function": len},
        "llm_extract": {"prompt": "What is the answer in {{ answer }}?", "then": "exact"},
        "lmms_eval": {"task": "t", "definition": "d", "metrics": (), "grader": None},
    }
    for name in judge_names():
        assert get_judge({"name": name, **needs.get(name, {})}).name == name


def test_digest_changes_with_the_rule_and_with_nothing_else():
    def digest(**spec):
        return get_judge(spec).digest()

    plain = digest(name="number")
    assert plain == digest(name="number", tolerance=0.0) == digest(name="number", tolerance=0)
    assert plain != digest(name="number", tolerance=0.1)
    assert plain != digest(name="exact")
    assert digest(name="number", tolerance=0.1, kind="relative") == digest(
        kind="relative", tolerance=0.1, name="number"
    )
    assert digest(name="exact", extract="boxed") == digest(name="exact", extract={"methods": ["boxed"]})
    assert digest(name="exact", extract="boxed") != digest(name="exact")


def test_digest_does_not_depend_on_where_the_package_lies(tmp_path):
    import shutil

    import judges

    shutil.copytree(Path(judges.__file__).parent, tmp_path / "judges")
    code = "import judges; print(judges.get_judge('math').digest())"

    def run():
        command = [sys.executable, "-c", code]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    assert run() == get_judge("math").digest()
    with (tmp_path / "judges" / "math_text.py").open("a") as file:
        file.write("\n# another rule\n")
    assert run() != get_judge("math").digest()


def test_importing_judges_loads_no_heavy_library():
    code = "import judges, sys; judges.get_judge('math'); print({'sympy', 'math_verify', 'dagster'} & set(sys.modules))"
    root = Path(__file__).resolve().parents[2]
    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_a_verdict_has_a_score_or_a_reason():
    with pytest.raises(ValueError, match="either a score or a reason"):
        Verdict(None)
