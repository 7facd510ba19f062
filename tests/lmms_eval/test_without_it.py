"""What can be seen of the bridge where lmms-eval is not installed: errors, and the door to a judge model."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request

import pytest

from task_defs import TaskError, load_task
from task_defs.lmms_eval.endpoint import Endpoint, QuestionFailed


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVAL_LMMS_PYTHON", raising=False)


def test_a_missing_package_says_how(monkeypatch):
    with pytest.raises(TaskError, match=r"lmms-eval is not installed for .*run `make lmms`"):
        load_task("lmms_eval:mmmu_val")
    monkeypatch.setenv("EVAL_LMMS_PYTHON", "/nowhere/python")
    with pytest.raises(TaskError, match=r"EVAL_LMMS_PYTHON=/nowhere/python: no such file"):
        load_task("lmms_eval:mmmu_val")
    monkeypatch.setenv("EVAL_LMMS_PYTHON", sys.executable)
    with pytest.raises(TaskError, match="is not installed for"):
        load_task("lmms_eval:mmmu_val")


def ask(endpoint: Endpoint, body: object, path: str = "") -> tuple[int, dict]:
    address = endpoint.environment()["OPENAI_API_URL"] + path
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "is it?"}]}


def test_the_door_is_closed_until_the_user_opens_it():
    door = Endpoint()
    status, body = ask(door, QUESTION)
    assert status == 400
    assert body["error"]["message"].startswith("judge not configured")
    assert door.take_faults()[0].startswith("judge not configured")
    assert door.take_faults() == []


class Behind:
    """Answers yes, but to one that asks for a seed."""

    def answer(self, body):
        if "seed" in body:
            raise QuestionFailed("judge not reached: lmms_eval: server: 500")
        return json.dumps({"choices": [{"message": {"content": body["model"]}}]})


def test_questions_reach_who_is_behind_the_door_and_failures_are_faults(monkeypatch):
    monkeypatch.setattr(Endpoint, "behind", Behind())
    door = Endpoint()
    # Some families take the variable for a base and append the path once more.
    for path in ("", "/chat/completions"):
        status, body = ask(door, QUESTION, path)
        assert (status, body["choices"][0]["message"]["content"]) == (200, "gpt-4o")
    assert door.take_faults() == []
    assert ask(door, {**QUESTION, "seed": 1})[0] == 400
    assert door.take_faults() == ["judge not reached: lmms_eval: server: 500"]
