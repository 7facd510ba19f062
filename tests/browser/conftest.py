"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.eval_service.conftest import Served, stored_project
from tests.eval_service.test_pages import make_pictured


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
        yield served
        served.stop()


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
