"""The level of guessing beside a score: known, or absent, and never taken off it."""

from __future__ import annotations

import pytest

from task_defs import TaskError, load_task


def options(rows, *counts):
    return [
        {**row, "options": [f"o{i}" for i in range(n)] or None}
        for row, n in zip(rows(len(counts)), counts, strict=True)
    ]


def chances(report):
    return {name: m["chance"] for name, m in report["metrics"].items() if "chance" in m}


def test_multiple_choice_has_the_mean_of_one_over_its_options(bench, folder, rows):
    task = folder.rows(options(rows, 2, 4, 4)).task(doc_to_choice="options")
    report = bench.report(task)
    assert chances(report) == {"accuracy": pytest.approx(1 / 3)}
    assert report["metrics"]["accuracy"]["value"] == 1.0, "never subtracted"
    assert chances(bench.report(task)) == {"accuracy": pytest.approx(1 / 3)}


def test_a_limit_has_the_chance_of_its_own_items(bench, folder, rows):
    from eval_assets.pipeline.cell import Variant

    task = folder.rows(options(rows, 2, 4, 4)).task(doc_to_choice="options")
    bench.report(task)
    assert chances(bench.report(task, Variant(limit=1))) == {"accuracy": 0.5}


def test_yes_or_no_is_a_coin_for_accuracy_and_unknown_for_the_rest(bench, folder, rows):
    assert chances(bench.report(folder.rows(rows(4)).task(judge="yes_no"))) == {"accuracy": 0.5}


@pytest.mark.parametrize("judge", ["exact", "number"])
def test_what_is_not_known_is_absent(bench, folder, rows, judge):
    assert chances(bench.report(folder.rows(rows(2)).task(judge=judge))) == {}


def test_items_without_options_leave_it_unknown_unless_the_task_says_what_they_count(bench, folder, rows):
    folder.rows(options(rows, 4, 0))
    assert chances(bench.report(folder.task(doc_to_choice="options"))) == {}
    said = folder.task(doc_to_choice="options", metadata={"chance_free_form": 0})
    assert chances(bench.report(said)) == {"accuracy": 0.125}


def test_the_tasks_own_word_comes_first_and_is_reported_at_once(bench, folder, rows):
    folder.rows(rows(2))
    assert chances(bench.report(folder.task())) == {}
    before = len(bench.endpoint.seen)
    assert chances(bench.report(folder.task(metadata={"chance": 0.1}))) == {"accuracy": 0.1}
    assert chances(bench.report(folder.task(metadata={"chance": {"accuracy": 0.2}}))) == {"accuracy": 0.2}
    assert len(bench.endpoint.seen) == before


@pytest.mark.parametrize("wrong", [1.5, -0.1, "half", True, {"accurracy": 0.5}, {"accuracy": 50}])
def test_a_level_that_is_none_is_an_error(bench, folder, rows, wrong):
    with pytest.raises(TaskError, match=r"task birds: metadata.chance"):
        bench.report(folder.rows(rows(2)).task(metadata={"chance": wrong}))


def test_the_catalogue_says_what_guessing_gets():
    assert load_task("pope").metadata["chance"]["f1_macro"] == 0.503
    assert load_task("mathvision").metadata["chance_free_form"] == 0
    assert load_task("mathvision_testmini").metadata["chance_free_form"] == 0


def test_a_field_of_the_rows_may_say_it_and_is_averaged_as_the_metric_is(bench, folder, rows):
    folder.rows([{**row, "kind": kind, "guess": guess} for row, kind, guess in zip(
        rows(3), ("a", "a", "b"), (0.2, 0.4, 0.9), strict=True)])  # fmt: skip
    more = {"judge": "exact", "report_by": ["kind"], "metadata": {"chance_field": "guess"}}
    metrics = [{"metric": "accuracy", "name": "macro", "macro_over": "kind"}, {"metric": "accuracy"}]
    found = chances(bench.report(folder.task(**more, metric_list=metrics)))
    assert found == {"macro": pytest.approx((0.3 + 0.9) / 2), "accuracy": pytest.approx(0.5)}


@pytest.mark.parametrize("guess", [None, 2, "half"])
def test_a_row_that_says_no_level_is_named(bench, folder, rows, guess):
    task = folder.rows([{**row, "guess": guess} for row in rows(1)]).task(metadata={"chance_field": "guess"})
    with pytest.raises(TaskError, match=r"chance_field \(guess, item q0\) must be a number from 0 to 1"):
        bench.report(task)
