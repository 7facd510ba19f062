"""Several samples an item: asked one by one, and what they say of a model's steadiness."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.stability import (
    OneSample,
    how_asked,
    load_samples,
    one_sample,
    sampled_variant,
    stability_block,
)
from tests.conftest import Reply

SAMPLED = {"max_tokens": 8, "temperature": 0.7, "seed": 0}


def by_sample(answers: dict[str, str]):
    """A model whose k-th sample of question i is the k-th letter of its word: y, n, or `-` for an empty answer."""

    def answer(request, number):
        letter = answers[request.text][request.body["seed"]]
        return Reply(text={"y": "yes", "n": "no", "-": ""}[letter])

    return answer


def words(*texts: str) -> dict[str, str]:
    return {f"Question {i}?": text for i, text in enumerate(texts)}


def test_more_samples_ask_only_those_that_are_missing(bench, folder, rows, endpoint):
    endpoint.answer = by_sample(words("yyyy", "nnnn", "ynyn"))
    task = folder.rows(rows(3)).task(generation_kwargs=SAMPLED)
    assert len(bench.asked(task, Variant(repeats=2))) == 6
    before = len(endpoint.seen)
    assert len(bench.asked(task, Variant(repeats=4))) == 6
    assert Counter(seen.body["seed"] for seen in endpoint.seen[before:]) == {2: 3, 3: 3}
    assert bench.asked(task) == [], "the task's own single sample is the first of them"


def test_the_report_of_several_samples_has_each_figure_with_its_interval(bench, folder, rows, endpoint):
    endpoint.answer = by_sample(words("yyyy", "nnnn", "yyyn", "ynnn"))
    report = bench.report(folder.rows(rows(4)).task(generation_kwargs=SAMPLED, repeats=4))
    found = report["stability"]
    assert (found["k"], found["temperature"], found["n"]) == (4, 0.7, 4)
    assert found["ea"]["value"] == report["metrics"]["accuracy"]["value"] == 0.5
    assert found["ca"]["value"] == 0.5
    assert found["cr"]["value"] == 0.5
    assert found["iv"]["value"] == pytest.approx((0 + 0 + 0.25 + 0.25) / 4)
    assert found["worst_case"]["value"] == 0.25
    assert found["pass_at_k"]["4"]["value"] == 0.75
    assert found["pass_hat_k"]["4"]["value"] == 0.25
    assert {"1", "2", "4"} == set(found["pass_at_k"])
    for name in ("ea", "ca", "iv", "cr", "between_variance", "worst_case"):
        assert found[name]["ci_low"] <= found[name]["value"] <= found[name]["ci_high"], name


def test_one_sample_has_no_block_and_the_report_of_a_cell_stays_as_it_was(bench, folder, rows):
    assert "stability" not in bench.report(folder.rows(rows(3)).task())


def test_no_answer_is_an_answer_of_its_own(bench, folder, rows, endpoint, store):
    endpoint.answer = by_sample(words("--n", "---", "yyy"))
    task = folder.rows(rows(3)).task(generation_kwargs=SAMPLED, repeats=3)
    bench.scored(task)
    assert load_samples(store, "m", "birds").answers[0] == [None, None, "no"]
    found = stability_block(store, "m", "birds")
    assert found["cr"]["value"] == pytest.approx(2 / 3), "three empty answers agree, two and a `no` do not"
    assert found["ca"]["value"] == pytest.approx(1 / 3)


def test_a_judge_that_names_no_answers_has_no_majority(bench, folder, rows, endpoint, store):
    (folder.path / "utils.py").write_text("def score(item, text):\n    return 1.0 if 'y' in text else 0.0\n")
    file = folder.path / "birds.yaml"
    folder.rows(rows(2)).task(generation_kwargs=SAMPLED, repeats=2)
    text = file.read_text().replace("judge: exact", "judge: {name: function, function: !function utils.score}")
    file.write_text(text)
    from task_defs import load_task

    endpoint.answer = by_sample(words("yy", "yn"))
    bench.scored(load_task(file))
    found = stability_block(store, "m", "birds")
    assert found["ea"]["value"] == 0.75
    assert math.isnan(found["ca"]["value"])
    assert math.isnan(found["cr"]["value"])
    assert "no extracted answers" in found["cr"]["note"]


def test_an_unscored_sample_is_no_wrong_one(bench, folder, rows, endpoint, store):
    def answer(request, number):
        lost = request.text == "Question 0?" and request.body["seed"] == 1
        return Reply(text="maximum context length", status=400) if lost else Reply(text="yes")

    endpoint.answer = answer
    bench.scored(folder.rows(rows(2)).task(generation_kwargs=SAMPLED, repeats=2))
    found = stability_block(store, "m", "birds")
    assert found["ea"]["value"] == 1.0
    assert "1 of 2 items have unscored samples" in found["note"]


def test_samples_at_temperature_0_say_so(bench, folder, rows, store):
    bench.scored(folder.rows(rows(3)).task(repeats=2))
    block = stability_block(store, "m", "birds", "", **how_asked(store, "m", "birds", ""))
    assert "temperature 0" in block["note"]


def test_the_samples_of_a_variant_are_found_and_one_sample_is_told_how_to_get_more(bench, folder, rows, store):
    task = folder.rows(rows(3)).task(generation_kwargs=SAMPLED)
    bench.scored(task)
    with pytest.raises(OneSample, match=r"evals run --checkpoint m --tasks birds --repeats 5 --gen temperature=0.7"):
        sampled_variant(store, "m", "birds")
    assert stability_block(store, "m", "birds") is None
    assert isinstance(one_sample("m", "birds"), ValueError)
    bench.scored(task, Variant(repeats=3))
    assert sampled_variant(store, "m", "birds") == "repeats=3"
