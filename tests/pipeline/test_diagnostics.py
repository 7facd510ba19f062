"""The questions worth a look: which they are, and a page that shows them safely."""

from __future__ import annotations

import json

import pytest

from eval_assets.pipeline.cell import UnknownCheckpoint, Variant
from eval_assets.pipeline.diagnostics import diagnose, write_diagnostics
from eval_assets.pipeline.item_scores import NotScored
from tests.conftest import Reply

SAMPLED = {"max_tokens": 8, "temperature": 0.7, "seed": 0}
ATTACK = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture
def three_models(bench, folder, rows, endpoint):
    """Three models, told apart by the user that they name.

    Question 0: all say `maybe`; 1: a and b say an attack twice, c wavers; 2: all waver; 3: all right.
    """

    def answer(request, number):
        number, model, second = int(request.text.split()[1][0]), request.body["user"], request.body["seed"]
        wavering = "no" if second % 2 else "yes"
        said = {0: "maybe", 1: wavering if model == "c" else ATTACK, 2: wavering, 3: "yes"}
        return Reply(text=said[number])

    endpoint.answer = answer
    data = [{**row, "image": folder.picture(f"{i}.png", i)} for i, row in enumerate(rows(4))]
    data[0]["question"] = "Question 0? <b>bold</b>"
    data[3]["image"] = "lost.png"
    task = folder.rows(data).task(doc_to_visual="image", generation_kwargs=SAMPLED, repeats=2)
    for name in "abc":
        bench.scored(task, key=name, extra={"user": name})
    return task


def of(data, pattern):
    return [(f["item_id"], f["models"]) for f in data["findings"] if f["pattern"] == pattern]


def test_each_pattern_names_its_items_and_models(three_models, store):
    data = diagnose(store, three_models)
    assert of(data, "suspected_key") == [("q0", ["a", "b", "c"])]
    assert of(data, "ambiguous") == [("q2", ["a", "b", "c"])]
    assert of(data, "model_weakness") == [("q1", ["c"])]
    assert ("q1", ["a", "b"]) in of(data, "confidently_wrong")
    assert data["n"] == 4
    assert set(data["items"]) == {"q0", "q1", "q2"}, "what everyone gets right is not shown"
    assert [m["k"] for m in data["models"]] == [2, 2, 2]
    said = data["items"]["q0"]["answers"]["a"]
    assert [(s["sample"], s["text"], s["score"]) for s in said] == [(0, "maybe", 0.0), (1, "maybe", 0.0)]


def test_what_models_say_is_text_on_the_page_and_never_markup(three_models, store):
    path = write_diagnostics(store, three_models, diagnose(store, three_models))
    assert path.endswith("reports/birds/diagnostics.html")
    page = store.read_file("reports", "birds", "diagnostics.html").decode()
    assert "<script" not in page
    assert "onerror=alert(1)&gt;" in page, "shown, escaped"
    assert "<img src=x" not in page
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert page.count('src="data:image/png;base64,') >= 3, "the pictures of the items"
    assert "http://" not in page
    assert "https://" not in page
    assert json.loads(store.read_file("reports", "birds", "@diagnostics.json"))["counts"]["suspected_key"] == 1


def test_only_the_first_of_each_pattern_are_shown_and_all_are_named(three_models, store):
    data = diagnose(store, three_models, high_variance=0.9, shown=1)
    wrong = {f["item_id"] for f in data["findings"] if f["pattern"] == "confidently_wrong"}
    assert wrong == {"q0", "q1"}
    assert set(data["items"]) == {"q0"}
    write_diagnostics(store, three_models, data)
    assert "The first 1 are shown" in store.read_file("reports", "birds", "diagnostics.html").decode()


def test_models_are_chosen_by_name_and_a_limit_or_a_blind_run_is_none(three_models, store, bench):
    assert [m["checkpoint"] for m in diagnose(store, three_models, ["b"])["models"]] == ["b"]
    bench.scored(three_models, Variant(limit=2, repeats=4), key="a", extra={"user": "a"})
    bench.scored(three_models, Variant(repeats=4, blind=True), key="a", extra={"user": "a"})
    assert [(m["variant"], m["k"]) for m in diagnose(store, three_models, ["a"])["models"]] == [("", 2)]
    with pytest.raises(UnknownCheckpoint, match="no checkpoint 'd'"):
        diagnose(store, three_models, ["d"])


def test_the_most_samples_speak_for_a_model(bench, folder, rows, store):
    task = folder.rows(rows(3)).task(generation_kwargs=SAMPLED)
    bench.scored(task)
    bench.scored(task, Variant(repeats=3))
    [model] = diagnose(store, task)["models"]
    assert (model["variant"], model["k"]) == ("repeats=3", 3)


def test_a_model_that_answered_other_questions_is_left_out_and_named(bench, folder, rows, store):
    bench.scored(folder.rows(rows(3)).task(), key="old")
    bench.scored(folder.task(doc_to_text="Now: {{ question }}"), key="new")
    data = diagnose(store, folder.task(doc_to_text="Now: {{ question }}"))
    assert [m["checkpoint"] for m in data["models"]] == ["new"]
    assert data["left_out"] == [
        {"checkpoint": "old", "why": "3 items with another question or label, 0 lacking: it is stale, run it again"}
    ]


def test_a_task_that_nobody_answered_is_told_so(bench, folder, rows, store):
    with pytest.raises(NotScored, match=r"no checkpoint is scored on birds: run `evals run"):
        diagnose(store, folder.rows(rows(2)).task())
