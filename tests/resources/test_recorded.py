"""Answers that were recorded elsewhere, as a model."""

from __future__ import annotations

import asyncio

import pytest

from resources.models.base import PERMANENT, Instance, ModelUnusable
from resources.models.recorded import RecordedModel, recorded_fingerprint, store_answers


def ask(uri: str, task: str, requests: list[Instance]) -> dict:
    async def run() -> dict:
        async with RecordedModel(uri, task=task) as model:
            return {r.id: r async for r in model.generate_until(requests)}

    return asyncio.run(run())


def test_answers_go_by_item_and_sample(tmp_path):
    uri = str(tmp_path / "r.lance")
    store_answers(uri, "t", [(f"q{i}", sample, f"{i}/{sample}") for i in range(3000) for sample in range(2)])
    requests = [Instance(id=f"{i}-{s}", item_id=f"q{i}", sample=s) for i in range(3000) for s in range(3)]
    found = ask(uri, "t", requests)
    assert len(found) == 9000
    assert all(found[f"{i}-{s}"].text == f"{i}/{s}" for i in range(3000) for s in range(2))
    missing = found["7-2"].error
    assert missing is not None
    assert missing.kind == "not_recorded"
    assert missing.kind in PERMANENT
    assert "item q7, sample 2" in missing.message


def test_tasks_do_not_mix_and_an_import_replaces_its_own_only(tmp_path):
    uri = str(tmp_path / "r.lance")
    store_answers(uri, "t", [("it's", 0, "one")])
    store_answers(uri, "u", [("it's", 0, "other")])
    before = recorded_fingerprint(uri)
    store_answers(uri, "t", [("it's", 0, "two")])
    assert ask(uri, "t", [Instance(id="0", item_id="it's")])["0"].text == "two"
    assert ask(uri, "u", [Instance(id="0", item_id="it's")])["0"].text == "other"
    assert recorded_fingerprint(uri)[0] != before[0]


def test_the_fingerprint_is_of_the_answers_in_any_order(tmp_path):
    answers = [("a", 0, "x"), ("b", 0, "y"), ("a", 1, "z")]
    prints = set()
    for i, order in enumerate((answers, answers[::-1])):
        uri = str(tmp_path / f"{i}.lance")
        store_answers(uri, "t", order)
        prints.add(recorded_fingerprint(uri))
    assert len(prints) == 1


def test_what_is_not_there_says_what_to_do(tmp_path):
    uri = str(tmp_path / "absent.lance")
    with pytest.raises(ModelUnusable, match="import-answers"):
        ask(uri, "t", [Instance()])
    with pytest.raises(ModelUnusable, match="import-answers"):
        recorded_fingerprint(uri)
