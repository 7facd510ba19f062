"""What a stream takes: tokens of its context, and the engine's KV cache, which is read beside the answers."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from eval_assets.pipeline.context_sweep import context_sweep, sweep_variants
from eval_assets.pipeline.files import clean
from eval_assets.pipeline.memory_watch import MemoryWatch
from eval_assets.reporting import memory_plots
from eval_assets.reporting.context_sweep import context_page
from resources.models.openai import OpenAIModel
from tests.conftest import Reply
from tests.pipeline.conftest import play
from tests.videos import video

FPS = 25
QUESTION = {"kind": "present", "question": "Which?", "options": ["cat", "dog"], "answer": "B"}


def watched(looks, plan):
    """What each request is told. plan: (name, begins, ends) in seconds; looks: what is seen each time, or an error."""
    told, views = {}, iter(looks)

    async def look():
        seen = next(views, None)
        if isinstance(seen, float) and seen < 0:
            await asyncio.sleep(30)
        return seen

    async def run():
        watch, begun = MemoryWatch(look), time.monotonic()
        events = sorted((at, name, end) for name, *times in plan for at, end in zip(times, (False, True), strict=True))
        for at, name, end in events:
            if (left := begun + at - time.monotonic()) > 0:
                await asyncio.sleep(left)
            if end:
                told[name] = watch.ended(name)
            else:
                watch.began(name)
        await watch.aclose()

    asyncio.run(run())
    return told, len(list(views))


def test_one_look_counts_for_all_that_are_under_way():
    told, unused = watched([0.25, 0.5], [("a", 0, 0.1), ("b", 0, 0.1), ("c", 0, 0.1)])
    assert told == {"a": 0.25, "b": 0.25, "c": 0.25}
    assert unused == 1, "three requests were begun while one look was on its way"


def test_the_largest_share_that_was_seen_counts():
    told, _ = watched([0.2, 0.4, 0.3], [("long", 0, 0.9), ("b", 0.1, 0.15), ("c", 0.4, 0.5), ("d", 0.6, 0.85)])
    assert told["long"] == 0.4


def test_what_nobody_saw_is_unknown_and_not_nothing():
    told, unused = watched([0.0, None, 0.7], [("a", 0, 0.1), ("b", 0.3, 0.5)])
    assert told == {"a": None, "b": None}
    assert unused == 1


def test_an_engine_that_does_not_answer_holds_nothing_up():
    begun = time.monotonic()
    told, _ = watched([-1.0], [("a", 0, 0.1), ("b", 0.15, 0.2)])
    assert told == {"a": None, "b": None}
    assert time.monotonic() - begun < 5


@pytest.fixture
def yard(folder):
    """Four streams of 4, 6, 8 and 10 s, asked each second. Longer ones have longer questions."""
    pytest.importorskip("av")

    def task(**params):
        rows = []
        for i, seconds in enumerate((4, 6, 8, 10)):
            (folder.path / f"{i}.mp4").write_bytes(video(seconds * FPS, FPS, salt=i * 256))
            asked = [{**QUESTION, "time": t} for t in range(seconds)]
            rows.append({"id": f"s{i}", "video": f"{i}.mp4", "questions": asked, "events": []})
        folder.rows(rows)
        judge = {"name": "outcome", "shares": {"accuracy": ["right", "asked"]}}
        episode = {"player": "stream", "max_steps": 50, "params": {"fps": 1, "policy": "window", "budget": 3, **params}}
        return folder.task(
            doc_to_text="Watch.", doc_to_visual="video", doc_to_target=None, judge=judge, episode=episode,
            metric_list=["accuracy"],
        )  # fmt: skip

    return task


def costs(request, number) -> Reply:
    """A hundred tokens a picture."""
    return Reply("B", usage={"prompt_tokens": 100 * len(request.pictures), "completion_tokens": 1})


def test_the_curve_of_a_window_rises_to_its_budget_and_stays(yard, bench, endpoint):
    endpoint.answer = costs
    report = bench.report(yard())
    points = report["memory"]["points"]
    assert [p["at"] for p in points] == list(range(10))
    assert [p["streams"] for p in points] == [4, 4, 4, 4, 3, 3, 2, 2, 1, 1]
    assert [p["tokens"] for p in points] == [[100 * n] * 3 for n in (1, 2, 3, 3, 3, 3, 3, 3, 3, 3)]
    assert {tuple(p["kv_use"] or ()) for p in points} == {()}, "this endpoint tells nothing of its cache"
    (figure,) = memory_plots.figures(report["memory"])
    assert "context, tokens" in figure[0]


def test_the_spread_is_that_of_the_streams(yard, bench, endpoint):
    def more(request, number):
        return Reply("B", usage={"prompt_tokens": 500 if number else 100, "completion_tokens": 1})

    endpoint.answer = more
    first = bench.report(yard())["memory"]["points"][0]["tokens"]
    assert first == [(3 * 500 + 100) / 4, 100, 500]


def test_the_share_of_the_engines_cache_is_kept_with_the_step_and_drawn_as_the_engines(
    yard, bench, endpoint, monkeypatch
):
    """An endpoint tells no cache: a constant stands in for the engine's figure. tests/engines has a real one."""

    async def half(self):
        return 0.5

    monkeypatch.setattr(OpenAIModel, "kv_use", half)
    endpoint.answer = lambda request, number: Reply("B", usage={}, delay=0.05)
    task = yard()
    report = bench.report(task)
    stored = [row["kv_use"] for row in bench.cell(task).outputs(bench.store).answers() if row["step"]]
    assert set(stored) <= {0.5, None}
    assert 0.5 in stored
    known = [p["kv_use"] for p in report["memory"]["points"] if p["kv_use"]]
    assert known
    assert all(spread == [0.5, 0.5, 0.5] for spread in known)
    assert {p["tokens"] for p in report["memory"]["points"]} == {None}
    ((plot, caption),) = memory_plots.figures(report["memory"])
    assert "engine&#x27;s KV cache, all streams in flight, %" in plot
    assert "with all streams in flight, up to 8, and not of one stream" in caption


def test_a_sweep_draws_each_policy_on_one_scale(yard, bench, endpoint):
    endpoint.answer = costs
    task = yard()
    variants = sweep_variants(task, ["window", "thinning", "all"], [2, 4], None)
    for of_policy in variants.values():
        for variant in of_policy.values():
            bench.report(task, variant)
    data = clean(context_sweep(bench.store, "m", task, variants))
    assert max(p["tokens"][2] for p in data["memory"]["window"]["points"]) == 400
    assert max(p["tokens"][2] for p in data["memory"]["all"]["points"]) == 1000
    page = context_page(data)
    assert page.count("context, tokens:") == 3
    first, _, last = (re.findall(r'text-anchor="end">([\d.]+)<', plot) for plot in page.split("context, tokens<")[1:])
    assert first[:3] == last[:3], "the same ticks"
    assert "window, 4 frames. Tokens of a request" in page
    assert "[n/a]" in page, "every stream is all right at each budget: the areas do not differ"
    assert "n/a: no cluster differs" in page


def test_a_baseline_has_no_memory(yard, store):
    _, report = play(store, yard(), "oracle")
    assert "memory" not in report
