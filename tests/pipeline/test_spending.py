"""What a cell costs: counted, capped, gone on with; and who answered."""

from __future__ import annotations

import pytest

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.registering import identify_checkpoint, register
from resources.models import ModelUnusable
from resources.models.budget import BudgetSpent
from resources.models.checkpoint import Checkpoint
from tests.conftest import Reply
from tests.pipeline.conftest import quiet

PRICES = {"price_in": 2, "price_out": 10, "price_cached": 1}
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 15},
}


def test_the_cap_ends_the_run_keeps_what_was_answered_and_the_next_goes_on(bench, folder, rows, store, endpoint):
    endpoint.answer = lambda request, number: Reply(usage=USAGE)
    task = folder.rows(rows(30)).task()
    cell = bench.cell(task, max_total_tokens=1200, concurrency=4)
    with pytest.raises(
        BudgetSpent, match=r"1,200 of max_total_tokens=1,200 tokens went into 10 answers.*only the rest"
    ):
        infer(cell, store, run_id="r", log=quiet)
    assert cell.outputs(store).count() == len(endpoint.seen) == 10
    assert len(bench.asked(task, max_total_tokens=10_000)) == 20
    assert len(endpoint.seen) == 30
    assert bench.asked(task) == [], "a budget is no part of what was asked"


def test_a_cap_on_money_without_prices_is_told_before_anything_is_sent(bench, folder, rows, endpoint):
    with pytest.raises(ModelUnusable, match="give price_in= and price_out="):
        bench.infer(folder.rows(rows(3)).task(), max_cost=5)
    assert endpoint.seen == []


def test_what_was_spent_is_told_of_the_run_and_of_the_cell(bench, folder, rows, endpoint):
    """Four questions, two of them the same: three requests were paid for."""
    endpoint.answer = lambda request, number: Reply(usage=USAGE)
    data = rows(4)
    data[3]["question"] = data[0]["question"]
    task = folder.rows(data).task()
    bench.infer(folder.rows(data[:1]).task(), **PRICES)
    done = bench.infer(folder.rows(data).task(), **PRICES)
    assert done.spend == {
        "prompt_tokens": 200, "completion_tokens": 40, "cached_tokens": 80, "reasoning_tokens": 30,
        "cost": pytest.approx((120 * 2 + 80 * 1 + 40 * 10) / 1e6),
    }  # fmt: skip
    usage = bench.report(task, **PRICES)["usage"]
    assert {k: usage[k] for k in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")} == {
        "prompt_tokens": 300, "completion_tokens": 60, "cached_tokens": 120, "reasoning_tokens": 45,
    }  # fmt: skip
    assert usage["cost"] == pytest.approx((180 * 2 + 120 * 1 + 60 * 10) / 1e6)
    assert usage["median_seconds"] > 0
    asked = len(endpoint.seen)
    dearer = bench.report(task, **{**PRICES, "price_out": 20})["usage"]
    assert dearer["cost"] == pytest.approx((180 * 2 + 120 * 1 + 60 * 20) / 1e6)
    assert bench.report(task)["usage"]["cost"] is None
    assert len(endpoint.seen) == asked == 3


def test_a_variant_counts_its_own_requests_only(bench, folder, rows, endpoint):
    from eval_assets.pipeline.cell import Variant

    endpoint.answer = lambda request, number: Reply(usage=USAGE)
    task = folder.rows(rows(5)).task()
    bench.report(task)
    assert bench.report(task, Variant(limit=2))["usage"]["prompt_tokens"] == 200


def test_unknown_counts_are_unknown_and_not_zero(bench, folder, rows, endpoint):
    endpoint.answer = lambda request, number: Reply(usage=None)
    task = folder.rows(rows(2)).task()
    assert bench.infer(task, **PRICES).spend == {}
    usage = bench.report(task, **PRICES)["usage"]
    assert [usage[k] for k in ("prompt_tokens", "completion_tokens", "cached_tokens", "cost")] == [None] * 4


def test_an_alias_that_moved_between_two_runs_of_a_cell_is_warned_of(bench, folder, rows, store, endpoint):
    said: list[str] = []

    def complete(count: int, name: str):
        endpoint.answer = lambda request, number: Reply(fields={"model": name, "system_fingerprint": f"fp_{number}"})
        return infer(bench.cell(folder.rows(rows(count)).task()), store, run_id="r", log=said.append)

    assert complete(3, "gpt-2025-08-07").served_by == {"gpt-2025-08-07": 3}
    assert [line for line in said if "WARNING" in line] == []
    assert complete(8, "gpt-2025-11-01").served_by == {"gpt-2025-11-01": 5, "gpt-2025-08-07": 3}
    [warning] = [line for line in said if "WARNING" in line]
    assert "m on birds was answered by more than one model: gpt-2025-11-01 gave 5, gpt-2025-08-07 gave 3" in warning


@pytest.mark.parametrize(
    "args",
    [
        {"api_key_env": "sk-proj-secret"},
        {"preset": "grok"},
        {"base_url": "https://user:secret@x.example/v1"},
        {"api_key": "sk-proj-secret"},
    ],
)
def test_what_must_not_be_stored_is_refused_before_it_is(store, args):
    with pytest.raises(ModelUnusable) as caught:
        register(store, Checkpoint("k", "openai", "gpt", args))
    assert "secret" not in str(caught.value)
    from resources.store.records import checkpoints

    assert checkpoints(store).rows() == []


def test_no_key_is_in_any_file_of_the_store(bench, folder, rows, store, endpoint, monkeypatch, tmp_path):
    key = "sk-very-secret-0123456789"
    monkeypatch.setenv("MY_KEY", key)
    replies = [
        Reply(text=f"key {key} too long: maximum context length", status=400),
        Reply(usage=USAGE),
        Reply(body=f"<html>{key}</html>".encode()),
    ]
    said: list[str] = []
    endpoint.answer = lambda request, number: replies[number] if number < 3 else Reply(usage=USAGE)
    task = folder.rows(rows(6)).task()
    register(store, Checkpoint("m", "openai", "gpt", endpoint.args(api_key_env="MY_KEY", max_retries=1, **PRICES)))
    from eval_assets.pipeline.ingest import ingest

    ingest(task, store)
    infer(plan_cell(store, identify_checkpoint(store, "m"), task), store, run_id="r", log=said.append)
    bench.report(task, api_key_env="MY_KEY", **PRICES)
    assert endpoint.seen[0].headers["Authorization"] == f"Bearer {key}"
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) > 10
    assert [p for p in files if key.encode() in p.read_bytes()] == []
    assert key not in "".join(said)


def test_a_request_is_counted_once_wherever_its_rows_lie(bench, folder, rows, endpoint):
    """1500 questions ask one thing: their rows lie in more than one batch."""
    endpoint.answer = lambda request, number: Reply(usage=USAGE)
    data = [{**row, "question": "The same?"} for row in rows(1500)]
    assert bench.report(folder.rows(data).task())["usage"]["prompt_tokens"] == 100
    assert len(endpoint.seen) == 1
