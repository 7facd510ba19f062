"""The judge `lmms_eval` over a stand-in for the process with the functions (tests/lmms_eval has the real one)."""

from __future__ import annotations

import asyncio
import json
import math
from types import SimpleNamespace

from judges import get_judge

METRICS = (
    {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
    {"metric": "pairs", "aggregation": "paired", "higher_is_better": True},
)


class StandIn:
    """`grade` and `aggregate` as functions of the test's own."""

    def __init__(self, grade, aggregate=lambda metric, results, without: []):
        self.grade, self.aggregate = grade, aggregate


def judged(grader, *responses, **params):
    spec = {"name": "lmms_eval", "task": "t", "definition": "d", "metrics": METRICS, "grader": grader, **params}
    judge = get_judge(spec)
    items = [SimpleNamespace(target=None, choices=None, doc={"q": str(i)}) for i in range(len(responses))]
    return judge, asyncio.run(judge.judge_many(items, responses))


def said(text="", **more):
    fields = {"text": text, "finish_reason": "stop", "loglikelihoods": None, "error": None, **more}
    return SimpleNamespace(**fields)


def test_values_of_items_and_what_stands_for_the_aggregation():
    def grade(doc, text=None, losses=None):
        found = {"acc": {"score": float(text == "yes"), "pred": text}, "pairs": {"id": doc["q"], "score": 1}}
        return found, {"acc": None, "pairs": None if doc["q"] == "0" else 0.5}

    judge, (first, second) = judged(StandIn(grade), said("<think>no</think>yes"), said("no", finish_reason="length"))
    assert (first.score, second.score) == (1.0, 0.0)
    assert (first.answer, second.flags) == ("yes", ("truncated",))
    assert math.isnan(first.values["pairs"])  # its aggregation takes more than one
    assert second.values["pairs"] == 0.5
    assert json.loads(first.results)["pairs"] == {"id": "0", "score": 1}
    assert [m.kind for m in judge.metrics] == ["mean", "aggregate"]


def test_options_are_compared_by_the_mean_loss_of_their_tokens():
    seen = []

    def grade(doc, text=None, losses=None):
        seen.append(losses)
        return {"acc": 1.0}, {}

    judged(StandIn(grade), said(loglikelihoods=(-6.0, -2.0), continuation_tokens=(3, 4)))
    assert seen == [[2.0, 0.5]]


def test_a_metric_is_computed_from_the_results_that_have_it():
    asked = []

    def aggregate(metric, results, without):
        asked.append((metric, results, without))
        return [1.0, 2.0]

    judge, _ = judged(StandIn(None, aggregate))
    results = [json.dumps(r) for r in ({"pairs": "a"}, {"other": 1}, {"pairs": "b"})]
    assert judge.metrics[1].aggregate(results, [[0, 1], [2]]) == [1.0, 2.0]
    assert asked == [("pairs", ["a", "b"], [[0], [1]])]


def test_no_verdict_is_no_zero():
    def grade(doc, text=None, losses=None):
        if text == "odd":
            return {"acc": [1, 2]}, {}
        raise RuntimeError("judge error: KeyError: 'a'\nTraceback ...")

    error = SimpleNamespace(kind="timeout", message="60 s")
    _, (failed, odd, lost) = judged(StandIn(grade), said("x"), said("odd"), said(error=error))
    assert failed.unscored == "judge error: KeyError: 'a'\nTraceback ..."
    assert odd.unscored == "judge error: process_results gave [1, 2] for 'acc', of which there is no mean"
    assert lost.unscored == "no response: timeout: 60 s"


def test_the_digest_knows_the_definition():
    def digest(**params):
        return judged(StandIn(None), **params)[0].digest()

    assert digest() == digest()
    assert digest() != digest(definition="e")
