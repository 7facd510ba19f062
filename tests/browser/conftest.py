"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.eval_service.conftest import project, served  # noqa: F401
from tests.eval_service.test_pages import pictured  # noqa: F401


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


def elsewhere(url: str) -> bool:
    return "//127.0.0.1:" not in url and not url.startswith("data:")


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
