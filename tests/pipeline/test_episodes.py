"""Episodes: played in the same cells, stored, resumed, judged and compared as questions are."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.episodes import steps_of
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.inferred import InferenceIncomplete
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint, register
from resources.models import ModelUnusable
from resources.models.checkpoint import Checkpoint
from task_defs import TaskError
from tests.conftest import Reply
from tests.pipeline.conftest import play, quiet

ROOT = Path(__file__).resolve().parents[2]
EPISODE = {"player": "guess", "max_steps": 6, "params": {"low": 1, "high": 15}}
JUDGE = {"name": "outcome", "values": ["guesses", "invalid"], "lower": ["guesses", "invalid"]}


@pytest.fixture
def guess(folder):
    def task(rows=12, **changes):
        folder.rows([{"id": f"g{i}", "question": "Find the number."} for i in range(rows)])
        return folder.task(**{"episode": EPISODE, "judge": JUDGE, "doc_to_target": None, **changes})

    return task


def searching(request, number):
    """A model that searches by halves, from what the conversation says."""
    low, high, said = 1, 15, [m["content"] for m in request.body["messages"]]
    for guess, verdict in zip(said[1::2], said[2::2], strict=False):
        low, high = (int(guess) + 1, high) if "Higher" in verdict else (low, int(guess) - 1)
    return Reply(str((low + high) // 2))


def test_the_oracle_always_finds_it_and_chance_does_not(store, guess):
    _, oracle = play(store, guess(), "oracle")
    assert oracle["metrics"]["score"]["value"] == 1.0
    assert oracle["metrics"]["guesses"]["value"] <= 4
    _, random = play(store, guess(), "random")
    assert 0 < random["metrics"]["score"]["value"] < 1


def test_a_model_sees_what_came_of_its_answers(bench, guess, endpoint):
    endpoint.answer = searching
    report = bench.report(guess())
    assert report["metrics"]["score"]["value"] == 1.0
    assert report["metrics"]["guesses"]["ci_low"] < report["metrics"]["guesses"]["value"] <= 4
    first = endpoint.seen[0].body["messages"]
    assert [m["role"] for m in first] == ["user"]
    assert first[0]["content"].startswith("Find the number.")


def test_a_complete_cell_asks_nothing_again_and_other_models_have_their_own(bench, guess, endpoint):
    endpoint.answer = searching
    bench.report(guess())
    before = len(endpoint.seen)
    bench.report(guess())
    assert len(endpoint.seen) == before
    bench.report(guess(), key="other", snapshot="2")
    assert len(endpoint.seen) == 2 * before


def test_an_answer_that_is_no_action_gets_another_turn_and_is_counted(bench, guess, endpoint):
    endpoint.answer = lambda request, number: Reply("I cannot know that")
    report = bench.report(guess())
    assert report["metrics"]["score"]["value"] == 0.0
    invalid = report["metrics"]["invalid"]
    assert invalid["value"] == EPISODE["max_steps"]
    assert invalid["ci_low"] != invalid["ci_low"], "six of six in every episode, which promises nothing of the next"
    assert "its interval is unknown: no variation was seen" in invalid["note"]
    assert report["metrics"]["score"]["ci_high"] > 0.1, "a share that is 0 everywhere has Wilson's"
    assert {flag for row in bench.scored(guess()) for flag in row["flags"]} == {"invalid_action"}


def test_the_steps_tell_the_story(bench, guess, endpoint):
    endpoint.answer = searching
    task = guess(rows=1)
    bench.infer(task)
    cell = bench.cell(task)
    steps = steps_of(bench.store, cell).of("g0", 0)
    assert [s["step"] for s in steps] == list(range(1, len(steps) + 1))
    assert steps[0]["action"] == "8"
    assert steps[-1]["reward"] == 1.0
    assert json.loads(steps[0]["seen"]) == {"low": 1, "high": 15}
    answers = {(row["step"], row["request_key"]): row["text"] for row in cell.outputs(bench.store).answers()}
    assert [answers[s["step"], s["request_key"]] for s in steps] == [s["action"] for s in steps]


def test_samples_are_other_episodes_and_the_same_for_every_model(store, guess):
    task = guess(repeats=3)
    cell, _ = play(store, task, "oracle")
    ends = {}
    for row in cell.outputs(store).answers():
        if row["step"]:
            ends[row["item_id"], row["sample"]] = row["text"]
    assert len({ends["g0", s] for s in range(3)} | {ends["g1", s] for s in range(3)}) > 2
    assert len(ends) == 36


def test_what_fails_on_the_way_is_played_on_later(bench, guess, endpoint):
    """Only the turns that have no answer yet are asked."""
    endpoint.answer = lambda request, number: (
        Reply(status=500, text="down") if len(request.body["messages"]) > 3 else searching(request, number)
    )
    with pytest.raises(InferenceIncomplete, match=r"requests failed .*answers of this run are kept"):
        bench.infer(guess())
    kept = len({json.dumps(s.body["messages"]) for s in endpoint.seen if len(s.body["messages"]) <= 3})
    endpoint.answer = searching
    before = len(endpoint.seen)
    bench.report(guess())
    assert all(len(s.body["messages"]) > 3 for s in endpoint.seen[before:])
    assert kept


def test_other_rules_of_the_game_are_another_cell_but_answered_turns_stay(bench, guess, endpoint):
    endpoint.answer = searching
    bench.infer(guess())
    before = len(endpoint.seen)
    longer = guess(episode={**EPISODE, "max_steps": 7})
    assert bench.cell(longer).key != bench.cell(guess()).key
    bench.infer(guess(episode={**EPISODE, "max_steps": 7}))
    assert len(endpoint.seen) == before
    assert bench.cell(guess(episode={**EPISODE, "concurrency": 2})).key == bench.cell(guess()).key


def test_a_context_that_is_too_long_ends_the_episode_as_a_kept_error(bench, guess, endpoint):
    said = json.dumps({"error": {"message": "This model's maximum context length is 20 tokens", "code": None}}).encode()
    endpoint.answer = lambda request, number: (
        Reply(status=400, body=said) if len(request.body["messages"]) > 3 else searching(request, number)
    )
    done = bench.infer(guess())
    rows = bench.scored(guess())
    assert (
        0
        < done.errors
        == sum(row["unscored"] is not None for row in rows) + sum("too_long" in row["flags"] for row in rows)
    )


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


def test_a_killed_run_goes_on_from_its_last_step(bench, guess, endpoint):
    """SIGKILL while the 20th answer is held back: the next run asks only what has no answer."""
    task = guess(episode={**EPISODE, "concurrency": 2})
    cell = bench.cell(task)
    endpoint.answer = lambda request, number: Reply("1", delay=0.01) if number < 20 else Reply("1", delay=30)
    command = [sys.executable, "-c", _RUN, bench.store.root, str(task.path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    answered = 0
    while answered < 20 and time.monotonic() < deadline:
        answered = sum(1 for _, _, step, _ in cell.outputs(bench.store).identities() if step)
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert answered == 20
    asked = {json.dumps(s.body["messages"]) for s in endpoint.seen}
    before = len(endpoint.seen)
    endpoint.answer = lambda request, number: Reply("1")
    bench.infer(guess(episode={**EPISODE, "concurrency": 2}))
    turns = [(item, sample, step) for item, sample, step, _ in cell.outputs(bench.store).identities() if step]
    assert len(turns) == len(set(turns)) == len(endpoint.seen) - before + 20
    assert asked
    steps = [(i, s, n) for i, s, n, _ in steps_of(bench.store, cell).identities()]
    assert sorted(steps) == sorted(turns)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"episode": {"player": "gues", "max_steps": 3}}, "unknown player 'gues': did you mean 'guess'"),
        ({"episode": {"player": "guess", "max_steps": 3, "params": {"lo": 1}}}, "player 'guess': no parameter 'lo'"),
    ],
)
def test_a_wrong_player_is_told_before_anything_is_asked(bench, guess, endpoint, changes, words):
    with pytest.raises(ModelUnusable, match=re.escape(words)):
        bench.infer(guess(**changes))
    assert not endpoint.seen


def test_an_episode_has_no_choices(guess):
    with pytest.raises(TaskError, match="an episode generates text until it is over"):
        guess(output_type="multiple_choice", doc_to_choice=["a", "b"])


def test_a_baseline_answers_no_questions_and_recorded_answers_play_no_episodes(store, folder, guess):
    folder.rows([{"id": "a", "question": "?", "answer": "yes"}])
    task = folder.task()
    ingest(task, store)
    register(store, Checkpoint("oracle", "baseline", "oracle"))
    with pytest.raises(ModelUnusable, match="a baseline plays episodes, and this task asks questions"):
        infer(plan_cell(store, identify_checkpoint(store, "oracle"), task), store, run_id="r", log=quiet)
