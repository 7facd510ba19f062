"""The player of web pages: a picture of the page, one action, the next picture, until the page says that it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from resources.episodes.base import Episode, EpisodeFailed, Outcome, Player, Turn, opened
from resources.episodes.web.actions import KEYS, Action, Click, NoAction, Press, Type, read_action
from resources.episodes.web.page import HEIGHT, WIDTH, WebPage, find_chromium, opened_page
from resources.models.base import Media, Message

_PARAMS = {"scale": 2, "timeout": 30, "repairs": 3}
_SAME = 3  # times that an action stands at the end of an episode: a loop


class MiniWobPlayer(Player):
    """params: scale (pixels of the picture to one of the page; 2), timeout (seconds for each thing that is asked of the
    browser; 30), repairs (answers in a row that may be no action: one more ends the episode; 3).

    An item's row has `page`, the name of a page of MiniWoB++. What stands on it follows from the sample's seed. A model
    sees the present page and its own actions before, not the pages before.
    """

    packages = ("miniwob", "playwright")
    shows_pictures = True

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        if unknown := set(params) - set(_PARAMS):
            raise ValueError(f"no parameter {sorted(unknown)[0]!r}: it takes {', '.join(_PARAMS)}")
        found = {**_PARAMS, **params}
        for name, least in (("scale", 1), ("timeout", 1), ("repairs", 0)):
            if not isinstance(found[name], int) or found[name] < least:
                raise ValueError(f"{name} must be a whole number from {least} on, not {found[name]!r}")
        self._scale, self._timeout, self._repairs = found["scale"], found["timeout"], found["repairs"]
        self._starting = asyncio.Lock()
        self._driver: Any = None
        self._playwright: Any = None
        find_chromium()

    async def play(self, episode: Episode) -> Outcome:
        name = episode.doc.get("page")
        if not isinstance(name, str):
            raise EpisodeFailed("the row has no `page`, which is to name a page of MiniWoB++")
        driver = await self._started()
        async with opened_page(driver, name, episode.seed, scale=self._scale, seconds=self._timeout) as page:
            return await self._played(episode, page, await page.solution(name))

    async def _played(self, episode: Episode, page: WebPage, solution: Sequence[Action] | None) -> Outcome:
        history: list[str] = []
        invalid = in_a_row = 0
        done, reward = False, 0.0
        while not (done or episode.exhausted or in_a_row > self._repairs):
            answer = await episode.ask(self._turn(episode, page.goal, history, await page.picture(), solution))
            try:
                action = read_action(answer.text, WIDTH * self._scale, HEIGHT * self._scale)
            except NoAction as error:
                invalid, in_a_row = invalid + 1, in_a_row + 1
                history.append(f"(your answer was no action: {error})")
                episode.acted(None, error=str(error))
                continue
            in_a_row = 0
            await page.do(action)
            done, reward = await page.state()
            history.append(str(action))
            episode.acted(str(action), reward=reward if done else 0.0, done=done)
        values = {"reward": reward if done else 0.0, "steps": episode.steps, "invalid": invalid}
        if done and reward > 0:
            return Outcome(1.0, values)
        return Outcome(0.0, values, _failure(done, in_a_row > self._repairs, history), details={"goal": page.goal})

    def _turn(
        self, episode: Episode, goal: str, history: Sequence[str], picture: bytes, solution: Sequence[Action] | None
    ) -> Turn:
        done = "".join(f"\n{number}. {action}" for number, action in enumerate(history, 1)) or " none"
        text = f"\n\n{self._grammar()}\n\nTask: {goal}\nActions so far:{done}\nThe page now:\n"
        messages: tuple[Message, ...] = opened(episode.instructions, ("text", text), ("media", 0))

        def scripted(policy: str) -> str | None:
            step = episode.steps  # of the turns with this one
            if policy == "oracle" and solution:
                return str(solution[min(step, len(solution)) - 1])
            return str(self._random(Random(f"{episode.seed} {step}"), goal)) if policy == "random" else None  # noqa: S311

        return Turn(messages, (Media(picture, "image/png"),), seen={"goal": goal}, scripted=scripted)

    def _grammar(self) -> str:
        width, height = WIDTH * self._scale, HEIGHT * self._scale
        return (
            f"The picture is {width} pixels wide and {height} high. Answer with one action: "
            f'click X Y (pixels from the upper left corner), type "text" (into the field that has the focus), '
            f"press KEY ({', '.join(KEYS)}), scroll down or scroll up."
        )

    def _random(self, random: Random, goal: str) -> Action:
        """Mostly clicks anywhere, else a word of the task or the key Enter."""
        kind = random.random()
        if kind < 0.7:
            return Click(random.randrange(WIDTH * self._scale), random.randrange(HEIGHT * self._scale))
        return Type(random.choice(goal.split())) if kind < 0.9 else Press("Enter")

    async def _started(self) -> Any:
        """Playwright's driver, a process of its own that kills its browsers when this one ends, however it ends."""
        from playwright.async_api import async_playwright

        async with self._starting:
            if self._playwright is None:
                self._driver = async_playwright()
                self._playwright = await self._driver.__aenter__()
        return self._playwright

    async def close(self) -> None:
        if self._driver is not None:
            await self._driver.__aexit__(None, None, None)


def _failure(done: bool, unreadable: bool, history: Sequence[str]) -> str:
    """Why a page was not solved: no action in the answers, the page said that it is wrong, or steps ran out."""
    if unreadable:
        return "invalid_action"
    if done:
        return "wrong_end"
    return "loop" if len(history) >= _SAME and len(set(history[-_SAME:])) == 1 else "budget"
