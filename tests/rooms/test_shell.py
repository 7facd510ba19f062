"""From nothing to scores by the shell: rooms, an oracle, a guesser at its known level; and bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval_assets.cli.app import app
from eval_assets.pipeline.ingest import ingest
from resources.rooms import RoomsError
from resources.rooms.write import Plan, make_rooms
from task_defs import TaskError, load_task

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--size", "96x64", "--fps", "2", "--rooms", "2", "--levels", "1-3")


@pytest.fixture(scope="module")
def evals(tmp_path_factory):
    """Runs the command; returns (code, stdout, stderr)."""
    home = tmp_path_factory.mktemp("rooms")
    homes = {"EVAL_HOME": home / "home", "DAGSTER_HOME": home / "dagster", "EVAL_DATA": home / "data"}
    environment = {**os.environ, **{name: str(path) for name, path in homes.items()}, "PYTHONPATH": str(ROOT)}
    environment.pop("MUJOCO_GL", None)

    def run(*arguments: str, **more: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "eval_assets.cli", *arguments]
        done = subprocess.run(
            command, env={**environment, **more}, cwd=home, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    run.folder = home / "data" / "spatial_rooms"
    return run


@pytest.fixture(scope="module")
def made(evals):
    """The folder, made once. Skips where nothing can be rendered."""
    missing = [name for name in ("mujoco", "shapely", "av") if find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'eval-assets[spatial]'")
    code, said, error = evals("rooms", str(evals.folder), *SMALL)
    if "off-screen OpenGL" in error:
        pytest.skip(error.splitlines()[-1])
    assert code == 0, error
    assert "questions about 6 rooms" in said
    return evals.folder


@pytest.fixture(scope="module")
def reports(evals, made):
    """Each baseline's report, through import and run."""
    found = {}
    for name in ("oracle", "random"):
        file = str(made / "answers" / f"{name}.jsonl")
        options = ("--task", "spatial_rooms", "--name", name, "--id-field", "id", "--response-field", "text")
        code, _, error = evals("import-answers", file, *options)
        assert code == 0, error
        code, said, error = evals("run", "--checkpoint", name, "--tasks", "spatial_rooms", "--json")
        assert code == 0, error
        found[name] = json.loads(said)["reports"][0]
    return found


def test_the_oracle_is_always_right(reports):
    report = reports["oracle"]
    assert [m["value"] for m in report["metrics"].values()] == [pytest.approx(1, abs=1e-12)] * 2
    assert report["coverage"] == 1
    assert set(report["by"]["difficulty"]) == {"1", "2", "3"}
    assert len(report["by"]["question_type"]) == 10
    assert report["ordered"] == ["difficulty"]


def test_guessing_scores_what_the_report_calls_chance(reports):
    metrics = reports["random"]["metrics"]
    assert metrics["mra"]["ci_low"] < metrics["mra"]["chance"] < metrics["mra"]["ci_high"]
    assert 0.25 < metrics["overall"]["chance"] < 0.6
    assert metrics["overall"]["value"] == pytest.approx(metrics["overall"]["chance"], abs=0.12)


def test_the_page_draws_the_score_against_difficulty(evals, reports):
    page = (evals.folder.parent.parent / "home" / "reports" / "random.html").read_text()
    assert "mra by difficulty" in page
    assert "difficulty 1: " in page, "a point of the curve"


def test_rooms_that_are_there_are_kept_and_more_can_be_added(evals, made):
    video, questions = made / "rooms" / "level1_000.mp4", (made / "test.jsonl").read_bytes()
    before = video.stat().st_mtime_ns
    code, said, error = evals("rooms", str(made), *SMALL, "--json")
    assert code == 0, error
    assert json.loads(said)["rooms"] == 6
    assert (made / "test.jsonl").read_bytes() == questions
    assert video.stat().st_mtime_ns == before
    (made / "scenes" / "level1_000.json").unlink()  # as if it had been cut off: filmed again, to the byte
    diagnosis = made / "diagnosis" / "level1_000.npz"
    first = video.read_bytes(), diagnosis.read_bytes()
    assert evals("rooms", str(made), *SMALL)[0] == 0
    assert (video.read_bytes(), diagnosis.read_bytes()) == first
    assert (made / "test.jsonl").read_bytes() == questions


def test_another_seed_in_the_same_folder_is_refused(made):
    with pytest.raises(RoomsError, match="was made with seed 0: ask for the same, or name a new folder"):
        make_rooms(made, Plan(1, (1, 2, 3), 2, 2, (96, 64), 2), print)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--levels", "0-9"), "levels are 1 to 5"),
        (("--levels", "3-1"), "levels are 1 to 5, not none"),
        (("--levels", "hard"), "expected levels such as 1-5"),
        (("--rooms", "0"), "rooms: expected 1 to 1000, found 0"),
        (("--size", "99x64"), "expected even numbers"),
        (("--size", "big"), "expected width x height"),
        (("--fps", "1"), "fps: expected 2 to 60"),
    ],
)
def test_wrong_parameters_are_named(tmp_path, options, says):
    done = CliRunner().invoke(app, ["rooms", str(tmp_path / "new"), *options])
    assert done.exit_code != 0
    said = f"{done.exception} {done.output}"
    assert says in " ".join(said.replace("│", " ").split())
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RoomsError, match="holds something else: name a new folder"):
        make_rooms(tmp_path, Plan(), print)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_without_opengl_one_line_says_what_to_install(evals, tmp_path):
    if find_spec("mujoco") is None:
        pytest.skip("MuJoCo is not installed")
    code, _, error = evals("rooms", str(tmp_path / "new"), *SMALL, MUJOCO_GL="glfw", DISPLAY="")
    assert code == 1
    last = error.splitlines()[-1]
    assert last.startswith("evals: no off-screen OpenGL was found: apt-get install libosmesa6"), error
    assert "Traceback" not in error


def test_without_rooms_the_task_says_how_to_make_them(store, tmp_path, monkeypatch):
    monkeypatch.setenv("EVAL_DATA", str(tmp_path))
    with pytest.raises(TaskError, match=r"evals rooms \$EVAL_DATA/spatial_rooms"):
        ingest(load_task("spatial_rooms"), store)
