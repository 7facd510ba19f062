"""The frames that the model chooses to keep: what it is asked, how it is read, that it is durable."""

from __future__ import annotations

import threading

import pytest

from eval_assets.pipeline.episodes import steps_of
from eval_assets.pipeline.inferred import InferenceIncomplete
from resources.episodes.stream_choice import REPAIRS, read_choice
from resources.models.base import Response
from tests.conftest import Reply
from tests.pipeline.conftest import play
from tests.pipeline.policies import numbered, shown


@pytest.fixture
def stream(folder):
    return numbered(folder)


def chooses(numbers, otherwise="B"):
    """A model that keeps these, and says something to everything else."""
    return lambda request, number: Reply(numbers if "can be kept" in str(request.body) else otherwise)


def test_the_model_keeps_what_it_names_and_is_never_shown_more_than_the_budget(stream, bench, endpoint):
    """Of four frames two stay whenever a fifth comes: always the first two, so the rest is what came since."""
    endpoint.answer = chooses("1 and 2")
    report = bench.report(stream(policy="model", budget=4))
    assert [shown(request) for request in endpoint.seen] == [
        [0, 1, 2, 3], [0, 1, 4, 5], [0, 1, 6, 7], [0, 1, 8, 9],
    ]  # fmt: skip
    assert endpoint.seen[0].text.startswith("1:2:3:4:These are pictures of a video that goes on")
    assert "Of the 4 pictures 2 can be kept." in endpoint.seen[0].text
    found = {name: m["value"] for name, m in report["metrics"].items()}
    assert (found["accuracy"], found["unchosen"], found["steps"], found["frames"]) == (1, 0, 4, 4)
    kept = steps_of(bench.store, bench.cell(stream(policy="model", budget=4))).of("s0", 0)
    assert [step["action"] for step in kept] == ["1 2", "1 2", "1 2", "B"]


def test_it_is_told_what_it_waits_for(stream, bench, endpoint):
    endpoint.answer = chooses("1", "no")
    events = [
        {"question": "Has the gate opened?", "at": None, "from": 5},
        {"question": "Too late?", "at": 9, "from": 9},
    ]
    bench.infer(stream([], events, policy="model", budget=2))
    asked = [request.text for request in endpoint.seen if "can be kept" in request.text]
    assert len(asked) == 8
    assert ["gate" in text for text in asked] == [False] * 4 + [True] * 4
    assert not any("Too" in text for text in asked)


def test_an_answer_that_chooses_nothing_is_told_so_and_then_the_newest_stay(stream, bench, endpoint):
    endpoint.answer = chooses("I keep all of them.")
    found = bench.report(stream(policy="model", budget=4))["metrics"]
    first, second, third = (request.body["messages"] for request in endpoint.seen[:3])
    assert [len(m) for m in (first, second, third)] == [1, 3, 5]
    assert "I keep all of them." in str(second[1])
    assert "named no picture. Answer with at most 2 numbers from 1 to 4" in str(second[2])
    assert shown(endpoint.seen[3]) == [2, 3, 4, 5]
    assert found["unchosen"]["value"] == 1.0
    assert found["steps"]["value"] == 3 * (1 + REPAIRS) + 1
    endpoint.answer = lambda request, number: Reply("2" if len(request.body["messages"]) > 1 else "9")
    before = len(endpoint.seen)
    bench.infer(stream(policy="model", budget=4), key="mended", snapshot="2")
    assert shown(endpoint.seen[before + 2]) == [1, 4, 5, 6]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1, 3", (1, 3)),
        ("[3, 1, 1]", (1, 3)),
        ("Of the 4 pictures these matter:\n2 and 4", (2, 4)),
        ("4", (4,)),
        ("", "named no picture"),
        ("0 1", "have the numbers 1 to 4"),
        ("1 5", "have the numbers 1 to 4"),
        ("1 2 3", "named 3 pictures, and there is room for 2"),
    ],
)
def test_how_a_choice_is_read(text, wanted):
    numbers, problem = read_choice(Response("r", text), 4, 2)
    assert (wanted in problem and numbers is None) if isinstance(wanted, str) else numbers == wanted


def test_a_choice_that_was_cut_off_is_none():
    assert read_choice(Response("r", "1 2", "length"), 40, 20)[0] is None


def test_a_choice_is_durable_and_a_broken_run_goes_on_behind_it(stream, bench, endpoint):
    task, lock = stream(policy="model", budget=4), threading.Lock()

    def fails_third(request, number):
        with lock:
            return Reply(status=500, body=b"{}") if number == 2 else chooses("1 2")(request, number)

    endpoint.answer = fails_third
    with pytest.raises(InferenceIncomplete):
        bench.infer(task)
    assert len(endpoint.seen) == 3
    endpoint.answer = chooses("1 2")
    bench.infer(task)
    assert [shown(request) for request in endpoint.seen[3:]] == [[0, 1, 6, 7], [0, 1, 8, 9]]


def test_choices_count_as_steps_and_a_stream_without_any_left_is_wrong(stream, bench, endpoint):
    endpoint.answer = chooses("1 2")
    (row,) = bench.scored(stream(policy="model", budget=4, max_steps=3))
    assert (row["score"], row["flags"]) == (0.0, ["budget"])
    assert len(endpoint.seen) == 3


def test_a_budget_of_one_has_no_room_and_asks_nothing(stream, bench, endpoint):
    endpoint.answer = chooses("1")
    bench.infer(stream(policy="model", budget=1))
    assert [shown(request) for request in endpoint.seen] == [[9]]


def test_the_observer_keeps_what_is_asked_for_later_where_a_window_has_lost_it(store, stream):
    lost = play(store, stream(policy="window", copies=6), "observer")[1]["metrics"]["accuracy"]["value"]
    kept = play(store, stream(policy="model", copies=6), "observer")[1]["metrics"]["accuracy"]["value"]
    random = play(store, stream(policy="model", copies=6), "random")[1]["metrics"]["accuracy"]["value"]
    assert kept == 1.0
    assert lost < 1.0
    assert random < 1.0
