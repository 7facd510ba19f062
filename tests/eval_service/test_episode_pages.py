"""Pages of a task that is played: an episode's steps, what was seen at each, its film."""

from __future__ import annotations

import io
import json
import re
from importlib.metadata import version

import pytest
from PIL import Image
from typer.testing import CliRunner

from eval_assets.cli.app import app
from eval_assets.pipeline.checkpoint_report import write_checkpoint_report
from eval_assets.settings import load_settings
from task_defs import load_task
from tests.pipeline.test_gymnasium import WORLD, play

pytest.importorskip("gymnasium")
_TASK = """
task: walk
dataset_path: .
data_files: {test: test.jsonl}
doc_to_id: id
doc_to_text: "{{ question }}"
judge: {name: outcome, values: [steps, reward], lower: [steps]}
episode: {player: gymnasium, max_steps: 6, concurrency: 2, params: {timeout: 60}}
"""


@pytest.fixture
def walked(served):
    """`random` has played three episodes of a corridor of five squares; their world is `env`, their prompt hostile."""
    folder = served.project.path / "tasks" / "walk"
    folder.mkdir()
    rows = [{"id": f"s/{n}", "env": WORLD, "seed": n, "question": "<script>go</script>"} for n in range(3)]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "walk.yaml").write_text(_TASK)
    play(served.project.store, load_task("walk"), "random", limit=None)
    return served


def test_an_episode_is_shown_step_by_step_and_as_a_film(walked):
    page = walked.http("GET", "/items/walk/s%2F1").text
    assert "<script>go" not in page
    steps = re.findall(r"<figcaption><span class=\"soft\">(\d+)</span> <b>([01])</b>", page)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert 1 < len(steps) <= 6
    media = re.findall(r'href="(/media/walk/[0-9a-f]{64})"', page)
    assert len(media) == len(steps)
    picture = walked.http("GET", media[0])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    (film,) = re.findall(r'src="(/films/[^"]*)"', page)
    gif = Image.open(io.BytesIO(walked.http("GET", film).content))
    assert gif.n_frames == len(steps)
    assert walked.http("GET", film.replace("/0/", "/7/")).status_code == 404
    part = walked.http("GET", "/episodes/random/walk/s%2F1").text
    assert part.count('class="step"') == len(steps)


def test_the_cell_and_the_checkpoint_show_how_episodes_ended(walked):
    store = walked.project.store
    cell = walked.http("GET", "/cells/random/walk").text
    assert "How episodes ended" in cell
    assert "The episode, step by step" in cell
    written = write_checkpoint_report(store, "random", load_settings())
    block = written.data["tasks"]["walk"]["episodes"]
    assert sum(block["ends"].values()) == sum(won + lost for _, won, lost in block["steps"]) == 3
    page = walked.http("GET", "/checkpoints/random").text
    assert page.count('src="data:image/gif;base64,') == len(written.data["films"]["walk"]) >= 1
    played_with = f"gymnasium {version('gymnasium')}"
    assert played_with in page
    assert f"gymnasium, {played_with}" in cell, "the player and its packages"


def test_the_shell_tells_an_episode_and_writes_its_film(walked, monkeypatch, tmp_path):
    monkeypatch.setenv("EVAL_HOME", str(walked.project.store.root))
    told = CliRunner().invoke(app, ["episode", "random", "walk", "s/1"])
    assert told.exit_code == 0, told.output
    found = json.loads(CliRunner().invoke(app, ["episode", "random", "walk", "s/1", "--json"]).output)
    assert found["said"] in told.output
    assert [step["answer"] for step in found["steps"]] == [step["action"] for step in found["steps"]]
    out = tmp_path / "film.gif"
    assert CliRunner().invoke(app, ["episode", "random", "walk", "s/1", "--out", str(out)]).exit_code == 0
    assert Image.open(out).n_frames == len(found["steps"])
    wrong = CliRunner().invoke(app, ["episode", "random", "walk", "s/9"])
    assert wrong.exit_code != 0
    assert "has no episode of item 's/9'" in " ".join(wrong.output.split())
