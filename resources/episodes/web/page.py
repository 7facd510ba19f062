"""One page in a browser of its own: opened by seed, seen as pictures, worked by mouse and keyboard."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from resources.episodes.base import EpisodeFailed
from resources.episodes.web.actions import Action, Click, Press, Scroll, Type
from resources.episodes.web.oracles import plan

WIDTH, HEIGHT = 160, 210  # CSS pixels of every page of the collection
_WINDOW = {"width": 500, "height": 320}  # beside the page stands its score; a window without room for it would scroll
_CLIP = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT}
_SETTLE_MS = 500  # of the page's own time after each action: animations of jQuery UI are over by then
_FOREVER_MS = 1_000_000_000  # the pages' own time limit, which would be the machine's speed; steps are counted instead
_BEGIN = f"""seed => {{
    Math.seedrandom(seed); core.EPISODE_MAX_TIME = {_FOREVER_MS}; core.startEpisodeReal();
    return core.getUtterance();
}}"""
_STATE = "() => ({done: WOB_DONE_GLOBAL, reward: WOB_RAW_REWARD_GLOBAL})"


def find_chromium() -> str:
    """Raises ValueError that says how to get one."""
    path = os.environ.get("EVAL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None or not Path(path).is_file():
        raise ValueError("there is no Chromium: apt-get install chromium, or set EVAL_CHROMIUM to the file of one")
    return path


def page_file(name: str) -> Path:
    """The page's file in the package. Raises EpisodeFailed for a name that it does not have."""
    spec = find_spec("miniwob")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "html" / "miniwob"
    file = folder / f"{name}.html"
    if not re.fullmatch(r"[a-z0-9-]+", name) or not file.is_file():
        near = get_close_matches(name, [p.stem for p in folder.glob("*.html")], n=1)
        raise EpisodeFailed(f"miniwob has no page {name!r}" + (f": did you mean {near[0]!r}?" if near else ""))
    return file


class WebPage:
    """An open page. Times are the page's own, which stands still between actions: what is seen follows from the seed
    and the actions alone. Every method raises EpisodeFailed where the page crashes or does not answer in time.

    goal: what is to be done, in words. scale: pixels of the picture to one of the page.
    """

    def __init__(self, page: Any, goal: str, scale: int, limit: Callable[[str], Any]) -> None:
        self._page, self.goal, self.scale, self._limit = page, goal, scale, limit

    async def picture(self) -> bytes:
        """PNG of WIDTH x HEIGHT times scale pixels."""
        async with self._limit("a picture of it"):
            return bytes(await self._page.screenshot(clip=_CLIP, caret="hide", animations="disabled"))

    async def state(self) -> tuple[bool, float]:
        """Whether the page says that it is over, and its reward in [-1, 1] without its discount of time."""
        async with self._limit("its reward"):
            found = await self._page.evaluate(_STATE)
            return bool(found["done"]), float(found["reward"])

    async def do(self, action: Action) -> None:
        async with self._limit(str(action)):
            match action:
                case Click(x, y):
                    await self._page.mouse.click(x / self.scale, y / self.scale)
                case Type(text):
                    await self._page.keyboard.type(text)
                case Press(key):
                    await self._page.keyboard.press(key)
                case Scroll(down):
                    await self._page.mouse.move(WIDTH / 2, HEIGHT * 3 / 4)
                    await self._page.mouse.wheel(0, HEIGHT / 2 if down else -HEIGHT / 2)
            await self._page.clock.run_for(_SETTLE_MS)

    async def solution(self, name: str) -> list[Action] | None:
        """Actions that solve the page as it stands; None where no oracle knows any."""
        steps = plan(name)
        if steps is None:
            return None
        async with self._limit("its solution"):
            found = await self._page.evaluate(steps)
        kinds: dict[str, Callable[..., Action]] = {
            "click": lambda x, y: Click(round(x * self.scale), round(y * self.scale)), "type": Type, "press": Press,
        }  # fmt: skip
        return None if found is None else [kinds[step[0]](*step[1:]) for step in found]


@contextlib.asynccontextmanager
async def opened_page(playwright: Any, name: str, seed: int, *, scale: int, seconds: float) -> AsyncIterator[WebPage]:
    """The page, begun with this seed, in a browser that is gone afterwards whatever happened.

    seconds: for each thing that is asked of the page.
    """
    from playwright.async_api import Error

    file = page_file(name)

    @contextlib.asynccontextmanager
    async def limit(what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise EpisodeFailed(f"page {name!r} hangs: no answer to {what} in {seconds:g} s") from error
        except Error as error:
            raise EpisodeFailed(f"page {name!r} broke at {what}: {error.message.splitlines()[0]}") from error

    async with limit("its start"):
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(),
            timeout=0,
            args=["--disable-gpu", "--disable-background-networking", "--force-color-profile=srgb"],
        )
    try:
        async with limit("its start"):
            context = await browser.new_context(
                viewport=_WINDOW, device_scale_factor=scale, offline=True, locale="en-US"
            )
            context.set_default_timeout(0)  # ours is the only one
            page = await context.new_page()
            await page.clock.install(time=0)
            await page.goto(file.as_uri())
            await page.clock.pause_at(1000)
            goal = await page.evaluate(_BEGIN, str(seed))
            await page.clock.run_for(_SETTLE_MS)
        yield WebPage(page, goal, scale, limit)
    finally:
        await _closed(browser, seconds)


async def _closed(browser: Any, seconds: float) -> None:
    """Closes a browser, whatever state it is in."""
    with contextlib.suppress(Exception):  # the driver kills its process then
        await asyncio.wait_for(asyncio.shield(browser.close()), seconds)
