"""What lmms-eval's functions ask, as it reaches a judge model: over the wire, counted, kept, within its budget."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

from eval_assets.pipeline.judge_door import JudgeDoor
from eval_assets.pipeline.judge_models import LMMS_EVAL, judge_model
from resources.store import Store
from task_defs.lmms_eval.endpoint import QuestionFailed
from tests.conftest import Endpoint, Reply, png


@pytest.fixture
def door(store: Store, endpoint: Endpoint, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`door(max_total_tokens=20)`: the door of a new run; all are closed afterwards."""
    monkeypatch.setenv("EVAL_CONFIG", str(tmp_path / "evals.yaml"))
    opened: list[JudgeDoor] = []

    def make(**args: Any) -> Any:
        entry = {"model": "openai", "source": "my-judge", **endpoint.args(max_retries=0), **args}
        (tmp_path / "evals.yaml").write_text(yaml.safe_dump({"judge_models": {LMMS_EVAL: entry}}))
        opened.append(JudgeDoor(judge_model(store, LMMS_EVAL, "t"), store, make.said.append))
        return opened[-1]

    make.said = []
    yield make
    for one in opened:
        one.close()


def question(text: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    return {"model": "gpt-4o", "messages": messages, "temperature": 0, **more}


def said(text: str) -> str:
    return json.loads(text)["choices"][0]["message"]["content"]


def test_a_question_is_asked_of_the_configured_model_once_and_kept(door: Any, endpoint: Endpoint) -> None:
    endpoint.answer = lambda request, number: Reply("<think>hm</think>3.5")
    first = door()
    assert said(first.answer(question("Rate it.", max_tokens=5, response_format={"type": "text"}))) == "3.5"
    body = endpoint.seen[0].body
    assert body["model"] == "my-judge"
    assert (body["temperature"], body["max_tokens"], body["response_format"]) == (0, 5, {"type": "text"})
    assert body["messages"] == question("Rate it.")["messages"]
    same = question("Rate it.", max_tokens=5, response_format={"type": "text"}) | {"model": "gpt-4-turbo"}
    for again in (first, door(), door(concurrency=2, price_in=1, price_out=1)):
        again.answer(same)
    assert len(endpoint.seen) == 1
    assert (first.done.asked, first.done.reused) == (1, 1)
    door(source="another").answer(same)
    assert len(endpoint.seen) == 2, "another judge is asked anew"
    first.close()
    assert door.said == ["judge lmms_eval: asked 1, known 1, prompt_tokens 7, completion_tokens 2"]


def test_a_picture_in_a_question_arrives_as_it_is(door: Any, endpoint: Endpoint) -> None:
    url = "data:image/png;base64," + base64.b64encode(png(1, 8)).decode()
    parts = [{"type": "text", "text": "Same?"}, {"type": "image_url", "image_url": {"url": url}}]
    door().answer({"model": "x", "messages": [{"role": "user", "content": parts}]})
    assert endpoint.seen[0].pictures == [url]
    assert endpoint.seen[0].text == "Same?"


def test_the_budget_holds_over_all_questions_of_a_run_and_what_was_spent_is_told(door: Any, endpoint: Endpoint) -> None:
    small = door(max_total_tokens=20, price_in=1, price_out=2)  # the stand-in counts 7 + 2 tokens a question
    for number in range(2):
        small.answer(question(f"Question {number}?"))
    for number in (2, 3):
        with pytest.raises(QuestionFailed, match=r"judge not reached: lmms_eval: the budget of this run is spent"):
            small.answer(question(f"Question {number}?"))
    assert len(endpoint.seen) == 2
    assert small.done.record(small.model) == {
        "asked": 2, "prompt_tokens": 14, "completion_tokens": 4, "cost": pytest.approx(22e-6),
    }  # fmt: skip
    assert small.done.fault().startswith("the budget of this run is spent")
    assert said(small.answer(question("Question 0?"))) == "yes", "what is known costs nothing"


def test_failures_are_not_kept_and_many_in_a_row_end_it(door: Any, endpoint: Endpoint) -> None:
    endpoint.answer = lambda request, number: Reply("no", status=500)
    down = door()
    for number in range(100):
        with pytest.raises(QuestionFailed, match=r"judge not reached: lmms_eval: .*server: 500"):
            down.answer(question(f"Question {number}?"))
    assert len(endpoint.seen) < 100, "nobody waits for an endpoint that is down at each item"
    assert "requests failed one after another" in down.done.fault()
    endpoint.answer = lambda request, number: Reply("yes")
    assert said(door().answer(question("Question 0?"))) == "yes"


def test_what_cannot_be_passed_on_is_that_items_error(door: Any, endpoint: Endpoint) -> None:
    address = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    for body, reason in (
        (question("x", stream=True), "a stream or several answers"),
        (question("x", n=3), "a stream or several answers"),
        (question("x", tools=[]), "holds tools"),
        ({"messages": [{"role": "user", "content": address}]}, "a picture by its address, which is not fetched"),
        ({"messages": "x"}, "cannot be passed on"),
        ({}, "cannot be passed on: KeyError"),
    ):
        with pytest.raises(QuestionFailed, match=f"judge error: .*{reason}"):
            door().answer(body)
    endpoint.answer = lambda request, number: Reply(None, message={"refusal": "No."})
    refused = door()
    with pytest.raises(QuestionFailed, match="judge error: lmms_eval: refused: No"):
        refused.answer(question("x"))
    assert refused.done.fault() == "", "a refusal is final: no other run is wanted for it"
