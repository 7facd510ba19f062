"""Environments of Gymnasium: played in processes of their own, by baselines and by a model; what breaks says so."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from ctypes.util import find_library
from pathlib import Path

import pytest

from eval_assets.pipeline.cell import Variant, plan_cell
from eval_assets.pipeline.episodes import step_media_of, steps_of
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint, register
from eval_assets.pipeline.replaying import Replays
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell
from resources.episodes import registry
from resources.episodes.worlds.process import Worlds
from resources.models import ModelUnusable
from resources.models.checkpoint import Checkpoint
from task_defs import load_task
from tests.conftest import Reply
from tests.pipeline.conftest import quiet
from tests.pipeline.test_episodes import _RUN, ROOT

pytest.importorskip("minigrid")
WORLD = "tests.episode_worlds:Corridor-v0"
JUDGE = {"name": "outcome", "values": ["steps", "invalid", "reward"], "lower": ["steps", "invalid"]}


@pytest.fixture
def corridor(folder):
    """A task of a few episodes in a corridor, of which those with an odd seed may break."""

    def task(rows=4, env=WORLD, steps=8, player="gymnasium", **params):
        folder.rows([{"id": f"s{n}", "env": env, "seed": n, "question": "Go to the end."} for n in range(rows)])
        episode = {"player": player, "max_steps": steps, "params": params, "concurrency": 2}
        return folder.task(episode=episode, judge=JUDGE, doc_to_target=None)

    return task


def workers(parent=None):
    """Living processes of environments that this test (or `parent`) started, or that nobody owns any more."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            owner = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) if words else 0
        except OSError:
            continue
        if b"resources.episodes.worlds.worker" in words and owner in (parent or os.getpid(), 1):
            found.append(int(entry.name))
    return found


def level(name):
    """A task of the catalogue with two processes, not eight."""
    task = load_task(name)
    return task.model_copy(update={"episode": task.episode.model_copy(update={"concurrency": 2})})


def play(store, task, policy, limit=12):
    ingest(task, store)
    register(store, Checkpoint(policy, "baseline", policy))
    cell = plan_cell(store, identify_checkpoint(store, policy), task, Variant(limit=limit) if limit else None)
    infer(cell, store, run_id="r", log=quiet)
    judge_cell(cell, store, run_id="r", log=quiet)
    return cell, report_cell(cell, store, run_id="r", log=quiet)


@pytest.mark.parametrize("name", ["minigrid_go_to_door", "minigrid_doorkey"])
def test_the_oracle_solves_a_level_with_the_fewest_actions(store, name):
    cell, report = play(store, level(name), "oracle", limit=4)
    assert {name: report["metrics"][name]["value"] for name in ("success", "spl", "invalid")} == {
        "success": 1.0, "spl": 1.0, "invalid": 0.0,
    }  # fmt: skip
    assert 0 < report["metrics"]["reward"]["value"] < 1
    steps = steps_of(store, cell).of("seed-000", 0)
    assert [s["reward"] > 0 for s in steps] == [False] * (len(steps) - 1) + [True]
    assert not workers()


def test_chance_is_no_oracle(store):
    _, report = play(store, level("minigrid_empty"), "random")
    assert 0 <= report["metrics"]["spl"]["value"] < report["metrics"]["success"]["value"] < 0.9
    assert set(report["flags"]) <= {"budget", "loop", "perception"}
    success = report["metrics"]["success"]
    assert success["ci_low"] < success["chance"] < success["ci_high"], "as measured on more episodes"


def test_a_model_is_shown_the_world_and_moves_in_it(bench, endpoint):
    """The picture changes as it walks, the mission stands in each request, earlier answers stay in the conversation."""
    endpoint.answer = lambda request, number: Reply("Let me think. Left is a wall. **forward**")
    task = level("minigrid_empty")
    cell = bench.cell(task, Variant(limit=1))
    infer(cell, bench.store, run_id="r", log=quiet)
    steps = steps_of(bench.store, cell).of("seed-000", 0)
    assert {s["action"] for s in steps} == {"forward"}
    pictures = [s["media"] for s in steps]
    assert pictures[0] != pictures[1]
    (first,) = pictures[0]
    assert step_media_of(bench.store, task.task).read([first])[first].startswith(b"\x89PNG")
    assert all(len(seen.pictures) == 1 and "get to the green goal square" in seen.text for seen in endpoint.seen)
    assert "left, right, forward" in endpoint.seen[0].text
    longest = max(len(seen.body["messages"]) for seen in endpoint.seen)
    assert longest == 2 * 4 + 1  # the default history
    assert "You did: forward." in endpoint.seen[1].text
    assert "Nothing changed." in endpoint.seen[-1].text


def test_an_answer_without_an_action_is_told_so_and_ends_after_the_repairs(bench, corridor, endpoint):
    said = iter(["I wonder", "9", '{"action": "fly"}'])
    endpoint.answer = lambda request, number: Reply(next(said, "nothing"))
    (row,) = bench.scored(corridor(rows=1, repairs=3))
    assert row["flags"] == ["invalid_action"]
    assert row["value_invalid"] == len(endpoint.seen) == 4
    told = [seen.text for seen in endpoint.seen[1:]]
    problems = ("named no action", "no action number 9: they go from 0 to 1", "no action 'fly'")
    assert [words in text for words, text in zip(problems, told, strict=True)] == [True] * 3


def test_a_repaired_answer_goes_on(bench, corridor, endpoint):
    endpoint.answer = lambda request, number: Reply("what?" if number == 1 else "1")
    (row,) = bench.scored(corridor(rows=1))
    assert (row["score"], row["value_steps"], row["value_invalid"]) == (1.0, 4.0, 1.0)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("crash", "the environment's process ended by itself (exit status 7)"),
        ("hang", "the environment did not answer within"),
        ("raise", "the environment broke: ZeroDivisionError: the world ended"),
    ],
)
def test_a_world_that_breaks_costs_its_own_episodes_only(bench, corridor, endpoint, fault, words):
    endpoint.answer = lambda request, number: Reply("1")
    timeout = 5 if fault == "hang" else 60  # a loaded machine may take seconds for a reset
    rows = bench.scored(corridor(make={"fault": fault}, timeout=timeout))
    assert [row["score"] for row in rows] == [1.0, None, 1.0, None]
    assert all(words in row["unscored"] for row in rows[1::2])
    assert not workers()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"env": "MiniGrid-Emty-5x5-v0", "player": "minigrid"}, "'MiniGrid-Emty-5x5-v0' cannot be made"),
        ({"env": "no_such_module:World-v0"}, "No module named 'no_such_module'"),
        ({"make": {"gravity": 2}}, "cannot be made"),
        ({"actions": ["0", "jump"]}, "has no action 'jump': it has 0, 1"),
        ({"histroy": 3}, "player 'gymnasium': there is no 'histroy', did you mean 'history'?"),
        ({"repairs": -1}, "player 'gymnasium': repairs: Input should be greater than or equal to 0"),
        ({"player": "minigrid", "view": "side"}, "player 'minigrid': view: Input should be 'full' or 'agent'"),
    ],
)
def test_a_set_up_that_cannot_work_is_told_before_anything_is_asked(bench, corridor, endpoint, changes, words):
    with pytest.raises(ModelUnusable, match=re.escape(words)):
        bench.infer(corridor(**changes))
    assert not endpoint.seen
    assert not workers()


def test_a_missing_package_says_how_to_get_it(bench, corridor, endpoint, monkeypatch):
    monkeypatch.setattr(registry, "_version", lambda package: "-")
    with pytest.raises(ModelUnusable, match=re.escape("needs gymnasium, minigrid: pip install 'eval-assets[agents]'")):
        bench.infer(corridor(player="minigrid"))


def test_another_version_of_the_world_is_another_cell(bench, corridor, monkeypatch):
    task = corridor(player="minigrid")
    before = bench.cell(task).key
    registry._made_by.cache_clear()
    monkeypatch.setattr(registry, "_version", lambda package: "99")
    assert bench.cell(task).key != before
    registry._made_by.cache_clear()


def test_a_killed_run_goes_on_in_the_same_world_and_leaves_no_process(bench, folder, endpoint):
    """SIGKILL while the 15th answer is held back: nothing answered is asked again, and the same pictures come back."""
    folder.rows(
        [{"id": f"s{n}", "env": "MiniGrid-Empty-Random-6x6-v0", "seed": n, "question": "Go."} for n in range(4)]
    )
    episode = {"player": "minigrid", "max_steps": 9, "concurrency": 2, "params": {"actions": ["left", "forward"]}}
    task = folder.task(episode=episode, judge=JUDGE, doc_to_target=None)
    cell = bench.cell(task)
    moves = ["forward", "left", "forward", "forward"]
    endpoint.answer = lambda request, number: Reply(
        moves[len(request.body["messages"]) % 4], delay=0 if number < 15 else 60
    )
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, bench.store.root, str(task.path)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    deadline, answered = time.monotonic() + 90, 0
    while answered < 15 and time.monotonic() < deadline:
        answered = sum(1 for _, _, step, _ in cell.outputs(bench.store).identities() if step)
        time.sleep(0.05)
    assert answered == 15
    assert workers(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    deadline = time.monotonic() + 10
    while workers(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not workers(process.pid)
    before = len(endpoint.seen)
    endpoint.answer = lambda request, number: Reply(moves[len(request.body["messages"]) % 4])
    bench.infer(task)
    turns = [(item, sample, step) for item, sample, step, _ in cell.outputs(bench.store).identities() if step]
    assert len(turns) == len(set(turns)) == len(endpoint.seen) - before + 15
    outcomes = [json.loads(row["text"]) for row in cell.outputs(bench.store).answers() if not row["step"]]
    assert len(outcomes) == 4
    assert sum(o["steps"] for o in outcomes) == len(turns)


@pytest.mark.skipif(find_library("EGL") is None, reason="MiniWorld draws by EGL: libegl1")
def test_the_oracle_finds_the_box_in_three_dimensions(store):
    """A real MiniWorld, drawn off-screen; the pictures differ from step to step."""
    cell, report = play(store, level("miniworld_one_room"), "oracle", limit=2)
    assert (report["coverage"], report["metrics"]["success"]["value"], report["metrics"]["spl"]["value"]) == (1, 1, 1)
    steps = steps_of(store, cell).of("seed-000", 0)
    assert len({s["media"][0] for s in steps}) == len(steps)


def test_steps_are_those_of_the_cell_that_is_asked_for(bench, corridor, endpoint):
    """Two budgets share the first answers; each cell's episode has its own number of steps."""
    endpoint.answer = lambda request, number: Reply("0")
    for budget in (3, 5):
        bench.report(corridor(rows=1, steps=budget))
        (replay,) = Replays(bench.store, "m", "birds").of("s0")
        assert [step.number for step in replay.steps] == list(range(1, budget + 1))
        assert replay.end == "perception"


def test_a_game_is_the_same_each_time_it_is_played(store):
    """Its chance is drawn from the seed: what a killed run goes on by. The same game in another process, and again."""

    async def states(worlds):
        async with worlds.world() as world:
            opening = await world.open("ale", "ALE/Freeway-v5", {"repeat": 4}, 3)
            assert opening.actions == ["noop", "up", "down"]
            return [(await world.step("up")).state for _ in range(6)]

    async def thrice():
        first, second = Worlds(60), Worlds(60)
        found = [await states(first), await states(second), await states(first)]
        await first.close()
        await second.close()
        return found

    one, other, again = asyncio.run(thrice())
    assert one == other == again
    assert len(set(one)) > 1
