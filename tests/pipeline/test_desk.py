"""The service desk: its tools, its policy, its customer, and what a conversation comes to."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.episodes import steps_of
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint, register
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell
from resources.episodes import EpisodeFailed
from resources.episodes.desk.answers import Call, NoAction, Say, read_action
from resources.episodes.desk.case import Case
from resources.episodes.desk.customer import Customer
from resources.episodes.desk.tools import TOOLS, InvalidCall, checked, schemas
from resources.models.checkpoint import Checkpoint
from task_defs import load_task
from task_defs.functions import load_function
from tests.conftest import Reply
from tests.pipeline.conftest import quiet

ROOT = Path(__file__).resolve().parents[2]
CASES = {row["id"]: row for row in load_function(load_task("service_desk").docs)(ROOT, None)}
EPISODE = {"player": "desk", "max_steps": 30}
JUDGE = {
    "name": "outcome",
    "values": ["compliant", "violations", "turns"],
    "ratios": {"call_validity": ["valid_calls", "calls"]},
}


@pytest.fixture
def desk(folder):
    """A task of these cases of the catalogue's desk."""

    def task(*ids, **changes):
        folder.rows([CASES[i] for i in ids or CASES])
        text = {"doc_to_text": "You work at a service desk.", "doc_to_target": None}
        return folder.task(**{"episode": EPISODE, "judge": JUDGE, **text, **changes})

    return task


def playing(script):
    """A model that gives these answers one after the other, and then the last one for ever."""

    def answer(request, number):
        said = sum(m["role"] == "assistant" for m in request.body["messages"])
        return Reply(json.dumps(step) if isinstance(step := script[min(said, len(script) - 1)], dict) else step)

    return answer


def right(case):
    return json.loads(CASES[case]["actions"])


@pytest.fixture
def played(bench, desk):
    """The outcome of one case."""

    def outcome(case, **changes):
        task = desk(case, **changes)
        bench.infer(task)
        rows = bench.cell(task).outputs(bench.store).answers()
        (text,) = (row["text"] for row in rows if row["step"] == 0 and row["item_id"] == case)
        return json.loads(text)

    return outcome


def test_the_oracle_succeeds_everywhere_and_chance_nowhere(store):
    task = load_task("service_desk")
    ingest(task, store)
    reports = {}
    for policy in ("oracle", "random"):
        register(store, Checkpoint(policy, "baseline", policy))
        cell = plan_cell(store, identify_checkpoint(store, policy), task)
        infer(cell, store, run_id="r", log=quiet)
        judge_cell(cell, store, run_id="r", log=quiet)
        reports[policy] = report_cell(cell, store, run_id="r", log=quiet)
    metrics = reports["oracle"]["metrics"]
    assert metrics["success"]["value"] == metrics["compliant"]["value"] == metrics["call_validity"]["value"] == 1
    assert metrics["violations"]["value"] == 0
    assert {m: e["value"] for m, e in reports["oracle"]["stability"]["pass_hat_k"].items()} == {"1": 1, "2": 1, "4": 1}
    assert reports["oracle"]["stability"]["note"] == "each sample is an episode with a seed of its own"
    assert reports["random"]["metrics"]["success"]["value"] <= 0.02
    assert reports["random"]["metrics"]["violations"]["value"] > 0
    assert set(Counter(row["kind"] for row in CASES.values()).values()) == {5}


def test_samples_are_paraphrases_of_one_case(bench, desk, endpoint):
    endpoint.answer = playing(right("cancel-0"))
    bench.infer(desk("cancel-0", repeats=6))
    openings = {s.body["messages"][0]["content"] for s in endpoint.seen if len(s.body["messages"]) == 1}
    assert len(openings) > 1
    report = bench.report(desk("cancel-0", repeats=6))
    assert report["metrics"]["score"]["value"] == 1.0


def test_the_first_turn_has_policy_tools_grammar_and_the_wish(bench, desk, endpoint):
    endpoint.answer = playing(right("refuse-0"))
    bench.infer(desk("refuse-0"))
    (message,) = endpoint.seen[0].body["messages"]
    assert message["content"].startswith("You work at a service desk.\n\nPolicy of the desk")
    assert f"Today is {json.loads(CASES['refuse-0']['data'])['today']}." in message["content"]
    assert all(f'"name": "{tool}"' in message["content"] for tool in TOOLS)
    assert json.loads(CASES["refuse-0"]["customer"])["facts"]["order"] not in message["content"]


def test_a_change_without_asking_reaches_the_goal_but_breaks_the_policy(played, endpoint):
    script = [step for step in right("cancel-0") if "Shall I go ahead" not in step.get("say", "")]
    endpoint.answer = playing(script)
    outcome = played("cancel-0")
    assert outcome["score"] == 1.0
    assert outcome["values"]["compliant"] == 0.0
    assert outcome["details"]["violations"] == ["changed something that the customer had not agreed to"]


def test_what_the_policy_forbids_is_done_and_counted(played, endpoint):
    order = json.loads(CASES["refuse-0"]["customer"])["facts"]["order"]
    cancel = {"tool": "cancel_order", "args": {"order_id": order, "reason": "no longer needed"}}
    endpoint.answer = playing([*right("refuse-0")[:3], {"say": "Shall I go ahead?"}, cancel, right("refuse-0")[-1]])
    outcome = played("refuse-0")
    assert (outcome["score"], outcome["failure"]) == (0.0, "policy_violation")
    assert outcome["details"]["violations"] == ["cancelled an order that is not open"]
    assert outcome["details"]["wrong"][0] == f"orders.{order}.status: 'cancelled', not 'shipped'"


def test_doing_nothing_or_telling_nothing_is_no_success(played, endpoint):
    endpoint.answer = playing([{"say": "Sorry, no. Is there anything else?"}])
    assert played("refuse-0")["failure"] == "not_told"
    endpoint.answer = playing([*right("look_up-0")[:-1], {"say": "You will see. Is there anything else?"}])
    outcome = played("look_up-0")
    assert (outcome["score"], outcome["failure"]) == (0.0, "not_told")
    assert outcome["details"]["untold"] == json.loads(CASES["look_up-0"]["tell"])
    endpoint.answer = playing([{"say": "It is done. Is there anything else?"}])
    assert played("cancel-1")["failure"] == "wrong_state"


def test_calls_that_cannot_be_are_told_to_the_model_and_counted(played, endpoint):
    wrong = [
        {"tool": "refund", "args": {}},
        {"tool": "get_order", "args": {}},
        {"tool": "get_order", "args": {"order_id": 17}},
        {"tool": "cancel_order", "args": {"order_id": "W1", "reason": "bored"}},
        {"tool": "get_order", "args": {"order_id": "W1"}},
    ]
    endpoint.answer = playing([*wrong, *right("cancel-0")])
    outcome = played("cancel-0")
    assert outcome["score"] == 1.0
    assert outcome["values"]["calls"] - outcome["values"]["valid_calls"] == 4
    heard = [m["content"] for m in endpoint.seen[-1].body["messages"][2:12:2]]
    assert heard[0].startswith("Result: error: there is no tool 'refund': there are find_customer_by_email,")
    assert heard[1] == "Result: error: wrong arguments of get_order: order_id: Field required"
    assert heard[2] == "Result: error: wrong arguments of get_order: order_id: Input should be a valid string"
    assert "reason: Input should be 'no longer needed'" in heard[3]
    assert heard[4] == "Result: error: no order 'W1'"


def test_answers_that_are_no_action_are_repaired_a_few_times(played, endpoint):
    endpoint.answer = playing(["Let me see.", "I will look.", *right("cancel-0")])
    assert played("cancel-0")["values"]["unreadable"] == 2
    endpoint.answer = playing(["Let me see."])
    outcome = played("cancel-1", episode={**EPISODE, "params": {"repairs": 2}})
    assert (outcome["failure"], outcome["steps"]) == ("invalid_action", 3)
    endpoint.answer = playing([{"tool": "get_product", "args": {"product_id": "P10"}}])
    outcome = played("cancel-2", episode={**EPISODE, "max_steps": 4})
    assert (outcome["failure"], outcome["steps"]) == ("budget", 4)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ('{"say": "Hello"}', Say("Hello")),
        ('```json\n{"tool": "get_order", "args": {"order_id": "W1"}}\n```', Call("get_order", {"order_id": "W1"})),
        ('I look. {"name": "f", "arguments": {"a": {"b": 1}}} So.', Call("f", {"a": {"b": 1}})),
        ('{"tool": "f"}', Call("f", {})),
        ('A {brace} and {"thought": 1} before {"say": "x {y}"}', Say("x {y}")),
        ('{"say": "x"} {"say": "x"}', Say("x")),
    ],
)
def test_an_action_is_found_in_what_surrounds_it(text, action):
    assert read_action(text) == action


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON object"),
        ("cancel_order(W1)", "no JSON object"),
        ('{"tool": "f", "args": {"a": 1}', "no JSON object"),
        ("{" * 5000, "no JSON object"),
        ('{"a": ' * 100_000, "no JSON object"),
        ('{"say": "x", "tool": "f"}', 'both "tool" and "say"'),
        ('{"say": "x"} {"tool": "f"}', "2 actions"),
        ('{"say": 3}', '"say" must be a text'),
        ('{"tool": ["f"]}', '"tool" must be the name'),
        ('{"tool": "f", "args": "W1"}', '"args" must be an object'),
    ],
)
def test_what_is_no_action_says_why(text, words):
    with pytest.raises(NoAction, match=re.escape(words)):
        read_action(text)


def test_schemas_say_what_is_checked():
    shown = {s["name"]: s for s in map(json.loads, schemas().splitlines())}
    assert set(shown) == set(TOOLS)
    assert shown["cancel_order"]["parameters"]["required"] == ["order_id", "reason"]
    with pytest.raises(InvalidCall, match="extra: Extra inputs are not permitted"):
        checked(Call("get_order", {"order_id": "W1", "extra": 1}))


def test_the_customer_answers_what_is_asked_and_no_more():
    facts = {"email": "a@example.org", "postcode": "123", "order": "W7", "address": "2 Mill Lane"}

    def heard(said, **more):
        return Customer({"opens": ["I want it."], "facts": facts, **more}, 1).reply(said)

    assert "a@example.org" in heard("What is your e-mail address?").text
    assert "Mill" not in heard("What is your e-mail address?").text
    assert "2 Mill Lane" in heard("Please give me the new address.").text
    assert heard("Shall I go ahead?").agreed
    assert not heard("Please confirm your postcode.").agreed
    assert heard("I would cancel W8. Shall I go ahead?").text == "No, it is about order W7."
    assert heard("Do you confirm that I may cancel your order W7?").agreed
    assert heard("How can I help you?").text == heard("Which of them?").text == "I want it."
    assert heard("Is there anything else?").stop
    assert heard("Is there anything else?", insists=["But why?"]).text == "But why?"
    customer = Customer({"opens": ["I want it."]}, 1)
    assert [customer.reply("It is done.").stop for _ in range(2)] == [False, True]


def test_facts_count_by_their_value():
    def untold(tell, *said):
        return Case({}, {}, (), tuple(tell), {}).untold(said)

    assert untold(["1048.50", "2026-03-02", "shipped"], "It is 1,048.5 EUR.", "Shipped; due 2026-03-02!") == []
    assert untold(["-6.00"], "You get 6 back.") == []
    assert untold(["6.00", "open"], "W6 was opened 2026-06-06, 16.00") == ["6.00", "open"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": "{"}, "the row's `data` is no JSON text"),
        ({"tell": None}, "the row's `tell` is no JSON text"),
        ({"tell": '"3.00"'}, "the row's `tell` must be a list in JSON"),
        ({"customer": "{}"}, "the row's `customer` has no `opens`"),
        ({"data": "{}"}, "the row's `data` is no shop: KeyError('customers')"),
        ({"actions": '[{"tool": "get_order", "args": {"order_id": "W1"}}]'}, "`actions`, number 0: no order 'W1'"),
    ],
)
def test_a_row_that_is_no_case_is_told_by_its_field(change, words):
    with pytest.raises(EpisodeFailed, match=re.escape(words)):
        Case.of({**CASES["cancel-0"], **change})


_RUN = """
import sys
from pathlib import Path
from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.registering import identify_checkpoint
from resources.store import Store
from task_defs import load_task
store = Store(sys.argv[1])
infer(plan_cell(store, identify_checkpoint(store, "m"), load_task(Path(sys.argv[2]))), store, run_id="r", log=print)
"""


def test_a_killed_conversation_goes_on_where_it_was(played, bench, desk, endpoint):
    """SIGKILL after the order was cancelled and before the customer is told: it is not cancelled twice."""
    task, script = desk("cancel-0"), right("cancel-0")
    cell = bench.cell(task)
    endpoint.answer = lambda request, number: (
        Reply("", delay=30) if number == len(script) - 1 else playing(script)(request, number)
    )
    command = [sys.executable, "-c", _RUN, bench.store.root, str(task.path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(endpoint.seen) < len(script) and time.monotonic() < deadline:
        time.sleep(0.05)
    wanted = len(script) - 1
    while sum(1 for _ in cell.outputs(bench.store).identities()) < wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    before = len(endpoint.seen)
    assert before == len(script)
    endpoint.answer = playing(script)
    assert played("cancel-0")["score"] == 1.0
    assert len(endpoint.seen) == before + 1
    actions = [step["action"] for step in steps_of(bench.store, cell).of("cancel-0", 0)]
    assert len(actions) == len(script)
    assert sum(action.startswith("cancel_order") for action in actions) == 1
