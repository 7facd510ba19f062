"""Episodes on web pages in a real browser: solved, seen the same again, hanging, crashing, killed."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.episodes import step_media_of, steps_of
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint, register
from resources.episodes import EpisodeFailed
from resources.episodes.web import page as web_page
from resources.episodes.web.actions import Click, Type
from resources.episodes.web.oracles import solved
from resources.models.checkpoint import Checkpoint
from tests.conftest import Reply

pytest.importorskip("miniwob", reason="needs the pages: pip install 'eval-assets[web]'")
playwright = pytest.importorskip("playwright.async_api", reason="needs Playwright: pip install 'eval-assets[web]'")
try:
    web_page.find_chromium()
except ValueError as error:
    pytest.skip(str(error), allow_module_level=True)
pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
JUDGE = {"name": "outcome", "values": ["reward", "steps", "invalid"]}

# Stands for a page of the collection that goes wrong: what the player needs of one, and a button that never returns.
BROKEN = """<body style="margin:0" onclick="while (true) {}"><script>
var core = {startEpisodeReal: () => {}, getUtterance: () => "Click."};
var WOB_DONE_GLOBAL = false, WOB_RAW_REWARD_GLOBAL = 0;
Math.seedrandom = () => {};
</script></body>"""


def aside(work):
    """In a thread of its own: Playwright keeps an event loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def on_page(name, seed, work, seconds=20):
    """What `await work(page)` gives on this page."""

    async def run():
        async with (
            playwright.async_playwright() as driver,
            web_page.opened_page(driver, name, seed, scale=2, seconds=seconds) as page,
        ):
            return await work(page)

    return aside(lambda: asyncio.run(run()))


def processes(mark):
    """Command lines of the processes that have this in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def browsers(mark):
    return [line for line in processes(mark) if "--remote-debugging-pipe" in line]


@pytest.fixture
def web(folder):
    def task(*pages, **changes):
        folder.rows([{"page": page} for page in pages])
        episode = {"player": "miniwob", "max_steps": 12, "concurrency": 2, **changes.pop("episode", {})}
        usual = {"doc_to_id": "page", "doc_to_text": "A page.", "doc_to_target": None, "judge": JUDGE}
        return folder.task(episode=episode, **{**usual, **changes})

    return task


def outcomes(store, task, checkpoint):
    """(outcome by page, the cell), played in a thread of its own."""
    ingest(task, store)
    register(store, checkpoint)
    cell = plan_cell(store, identify_checkpoint(store, checkpoint.key), task)
    aside(lambda: infer(cell, store, run_id="r", log=lambda line: None))
    rows = cell.outputs(store).answers()
    return {row["item_id"]: json.loads(row["text"] or "{}") for row in rows if row["step"] == 0}, cell


def test_the_oracle_solves_every_page_that_it_knows(store, web):
    found, cell = outcomes(store, web(*solved()), Checkpoint("oracle", "baseline", "oracle"))
    assert {page: o.get("score") for page, o in found.items()} == dict.fromkeys(solved(), 1.0)
    steps = steps_of(store, cell).of("enter-text", 0)
    assert [step["action"].split()[0] for step in steps] == ["click", "type", "click"]
    assert (steps[-1]["reward"], json.loads(steps[-1]["info"])) == (1.0, {"done": True})
    (data,) = step_media_of(store, cell.task.task).read(steps[0]["media"]).values()
    assert data.startswith(b"\x89PNG")


def test_play_at_random_hardly_ever_logs_in(store, web):
    found, _ = outcomes(store, web("login-user"), Checkpoint("random", "baseline", "random"))
    assert found["login-user"]["score"] == 0.0
    assert found["login-user"]["failure"] in {"wrong_end", "budget", "loop"}


def test_what_is_seen_follows_from_the_seed_and_the_actions():
    async def typed(page):
        first = await page.picture()
        await page.do((await page.solution("enter-text"))[0])
        await page.do(Type("Ada"))
        return page.goal, first, await page.picture()

    once, again, other = (on_page("enter-text", seed, typed) for seed in (5, 5, 6))
    assert once == again
    assert once[0] != other[0]
    assert once[1] != once[2]


def test_a_page_that_hangs_is_told_and_its_browser_is_gone(tmp_path, monkeypatch):
    (tmp_path / "broken.html").write_text(BROKEN)
    monkeypatch.setattr(web_page, "page_file", lambda name: tmp_path / "broken.html")
    monkeypatch.setenv("EVAL_MARK", mark := uuid.uuid4().hex)
    there = []

    async def click(page):
        there.extend(browsers(mark))
        await page.do(Click(5, 5))

    started = time.monotonic()
    with pytest.raises(EpisodeFailed, match=r"page 'broken' hangs: no answer to click 5 5 in 3 s"):
        on_page("broken", 1, click, seconds=3)
    assert time.monotonic() - started < 20
    assert there
    assert processes(mark) == []


def test_a_page_that_crashes_is_told():
    async def crash(page):
        session = await page._page.context.new_cdp_session(page._page)
        task = asyncio.create_task(session.send("Page.crash"))
        await asyncio.wait([task], timeout=1)
        task.cancel()
        await page.picture()

    with pytest.raises(EpisodeFailed, match=r"page 'click-test' (broke at|hangs: no answer to) a picture of it"):
        on_page("click-test", 1, crash, seconds=5)


def test_a_page_that_is_not_there_has_its_nearest_name(store, web):
    with pytest.raises(EpisodeFailed, match="miniwob has no page 'login-usr': did you mean 'login-user"):
        on_page("login-usr", 1, None)
    with pytest.raises(EpisodeFailed, match="miniwob has no page"):
        on_page("../core/core", 1, None)


def test_answers_that_cannot_be_done_are_told_to_the_model_and_counted(store, web, endpoint):
    said = ["I see a page.", "click 400 20", "press Hyper", "click 10 300", 'type "x"']
    endpoint.answer = lambda request, number: Reply(said[min(number, 4)])
    task = web("click-button", episode={"max_steps": 6, "params": {"repairs": 5}})
    found, _ = outcomes(store, task, Checkpoint("m", "openai", "gpt", endpoint.args(max_retries=0)))
    assert found["click-button"]["values"] == {"reward": 0.0, "steps": 6, "invalid": 3}
    heard = endpoint.seen[3].text
    assert "1. (your answer was no action: there is no action in it)" in heard
    assert "2. (your answer was no action: click 400 20 is outside of the picture, which is 320 x 420)" in heard
    assert "3. (your answer was no action: there is no key 'Hyper': there are Enter," in heard
    assert endpoint.seen[0].pictures[0].startswith("data:image/png;base64,")


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


def test_a_killed_run_leaves_no_browser_and_goes_on_from_its_last_step(store, web, endpoint, monkeypatch):
    monkeypatch.setenv("EVAL_MARK", mark := uuid.uuid4().hex)
    checkpoint = Checkpoint("m", "openai", "gpt", endpoint.args(max_retries=0))
    task = web("click-checkboxes", episode={"max_steps": 4})
    ingest(task, store)
    register(store, checkpoint)
    cell = plan_cell(store, identify_checkpoint(store, "m"), task)
    endpoint.answer = lambda request, number: Reply("click 10 120", delay=20 if number == 2 else 0)
    command = [sys.executable, "-c", _RUN, store.root, str(task.path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while sum(1 for _ in cell.outputs(store).identities()) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert browsers(mark)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    while processes(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes(mark) == []
    before = len(endpoint.seen)
    endpoint.answer = lambda request, number: Reply("click 10 120")
    monkeypatch.delenv("EVAL_MARK")
    found, _ = outcomes(store, web("click-checkboxes", episode={"max_steps": 4}), checkpoint)
    assert len(endpoint.seen) - before == 2
    actions = [step["action"] for step in steps_of(store, cell).of("click-checkboxes", 0)]
    assert actions == ["click 10 120"] * 4
    assert found["click-checkboxes"]["failure"] == "loop"
