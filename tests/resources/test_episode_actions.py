"""Reading an action from an answer, what of a conversation stays, and what an episode came to."""

from __future__ import annotations

import pytest

from resources.episodes.actions import read_action
from resources.episodes.history import History, Seen
from resources.episodes.measures import LOOPED, Trace, spl
from resources.models.base import Media, Message

ACTIONS = ["left", "right", "forward", "pick up", "TURN_LEFT"]


@pytest.mark.parametrize(
    ("answer", "action"),
    [
        ("forward", "forward"),
        ("Forward.", "forward"),
        ("I could go left, but the goal is ahead: **forward**", "forward"),
        ("not forward but right", "right"),
        ('Thinking of left.\n{"action": "forward"} rather than left', "forward"),
        ('{"action": "left"} no, {"action": "right"}', "right"),
        ('{"action": 2}', "forward"),
        ("2", "forward"),
        ("The wall is 3 squares away.\nAction: 0", "left"),
        ("PICK-UP", "pick up"),
        ("turn left", "TURN_LEFT"),
    ],
)
def test_an_action_is_read_however_it_is_said(answer, action):
    assert read_action(answer, ACTIONS).action == action


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", "The answer was empty."),
        ("I go straight on", "The answer named no action."),
        ("it leftover", "The answer named no action."),
        ("7", "There is no action number 7: they go from 0 to 4."),
        ("-1", "There is no action number -1: they go from 0 to 4."),
        ('{"action": "jump"}', "There is no action 'jump'."),
        ('{"action": 5}', "There is no action number 5: they go from 0 to 4."),
        ("I walk 2 squares", "The answer named no action."),
    ],
)
def test_an_answer_that_is_no_action_says_what_is_wrong_with_it(answer, problem):
    assert read_action(answer, ACTIONS) == (None, problem)


def test_actions_that_are_numbers_go_by_their_names():
    assert read_action("3", ["1", "3"]).action == "3"


def test_the_latest_turns_stay_and_the_latest_pictures_are_shown():
    history = History((Message("user", (("text", "Rules."),)),), turns=2, pictures=2)
    pictures = [Media(bytes([n]), "image/png") for n in range(4)]
    for n in range(3):
        history.add(Seen(f"step {n}", pictures[n]), f"answer {n}")
    messages, media = history.request(Seen("step 3", pictures[3]))
    assert [m.role for m in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert messages[0].parts == (("text", "Rules."), ("text", "\n\n"), ("text", "step 1"))
    assert messages[1].parts == (("text", "answer 1"),)
    assert messages[2].parts == (("media", 0), ("text", "step 2"))
    assert messages[4].parts == (("media", 1), ("text", "step 3"))
    assert media == (pictures[2], pictures[3])


def test_without_history_each_request_stands_alone():
    history = History((), turns=0, pictures=1)
    history.add(Seen("old", None), "left")
    messages, media = history.request(Seen("new", None))
    assert [m.role for m in messages] == ["user"]
    assert "old" not in str(messages)
    assert media == ()


def test_spl_is_the_share_of_the_shortest_path_in_the_one_taken():
    assert spl(True, 5, 5) == 1.0
    assert spl(True, 5, 20) == 0.25
    assert spl(True, 5, 4) == 1.0  # what the planner missed is no merit above 1
    assert spl(False, 5, 5) == 0.0
    assert spl(True, None, 5) is None


def _trace(*steps, invalid=0):
    trace = Trace(invalid=invalid)
    for state, action, then in steps:
        trace.acted(state, action, then, 0.0)
    return trace


@pytest.mark.parametrize(
    ("trace", "said", "failure"),
    [
        (_trace(("a", "left", "b")), {"gave_up": True}, "invalid_action"),
        (_trace(("a", "left", "b"), invalid=2), {}, "invalid_action"),
        (_trace(("a", "left", "b")), {"ended": True}, "wrong_end"),
        (_trace(("a", "forward", "a"), ("a", "left", "b")), {}, "perception"),
        (_trace(*[("a", "left", "b"), ("b", "right", "a")] * LOOPED), {}, "loop"),
        (_trace(("a", "left", "b"), ("b", "right", "a")), {}, "budget"),
        (_trace(), {}, "budget"),
    ],
)
def test_a_failure_has_a_kind(trace, said, failure):
    assert trace.failure(**{"gave_up": False, "ended": False, **said}) == failure
