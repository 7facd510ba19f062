"""Learning curves as pages, Markdown and tables: what a reader sees."""

from __future__ import annotations

import io
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from eval_assets.reporting.curve import curve_markdown, curve_page, curve_terminal, run_comparison_page
from eval_assets.reporting.curve_plots import band_plot, level_plot, two_runs_plot
from eval_assets.reporting.curve_words import pair_sentence, said_steps, sentences

NAN = float("nan")


def against(diff: float, survives: bool, wide: float = 0.06, **more: Any) -> dict[str, Any]:
    entry = {"b": "run.0", "mean_diff": diff, "se": 0.02, "ci_low": diff - 0.04, "ci_high": diff + 0.04}
    entry |= {
        "band_low": diff - wide,
        "band_high": diff + wide,
        "p_value": 0.01,
        "p_adjusted": 0.02 if survives else 0.3,
    }
    return {**entry, "n": 100, "n_clusters": 50, "note": "", "survives": survives, **more}


def point(step: int, value: float, vs_reference: Any = None, vs_previous: Any = None) -> dict[str, Any]:
    score = {"value": value, "se": 0.02, "ci_low": value - 0.04, "ci_high": value + 0.04}
    counts = {"n": 100, "n_clusters": 50, "coverage": 1.0}
    own = {"checkpoint": f"run.{step}", "step": step, **score, **counts}
    return {**own, "vs_reference": vs_reference, "vs_previous": vs_previous}


def curve(**more: Any) -> dict[str, Any]:
    before = {k: v for k, v in against(0.1, True, b="run.1000").items() if not k.startswith("band")}
    points = [
        point(0, 0.4),
        point(1000, 0.45, against(0.05, False), {**before, "b": "run.0", "mean_diff": 0.05, "survives": False}),
        point(2000, 0.55, against(0.15, True), before),
    ]
    best = {
        "best": "run.2000", "value": 0.55, "corrected": 0.53, "selection_bias": 0.02, "ci_low": 0.5, "ci_high": 0.6,
        "level": 0.95, "candidates": ["run.1000", "run.2000"], "n": 100, "n_clusters": 50, "method": "chosen",
        "p_is_best": {"run.0": 0.001, "run.1000": 0.08, "run.2000": 0.99}, "note": "", "problem": "",
    }  # fmt: skip
    band = {"level": 0.95, "critical": 2.7, "n_clusters": 50, "method": "max-t", "note": "", "survive": ["run.2000"]}
    return {
        "task": "maths", "metric": "accuracy", "aggregation": "mean", "higher_is_better": True, "level": 0.95,
        "reference": {"checkpoint": "run.0", "role": "first"}, "reference_value": 0.4, "points": points, "band": band,
        "best": best, "not_evaluated": [], "notes": [], **more,
    }  # fmt: skip


def data(**more: Any) -> dict[str, Any]:
    checkpoints = [{"checkpoint": f"run.{step}", "step": step} for step in (0, 1000, 2000)]
    found = {"run": "run", "checkpoints": checkpoints, "level": 0.95, "seed": 0, "tasks": {"maths": curve()}}
    return {**found, "absent": {}, "provenance": {}, "at": "2026-01-02T03:04:05+00:00", "version": "v", **more}


def looks(svg: str, kind: str) -> int:
    return svg.count(f'class="pl-{kind}"')


def texts(svg: str) -> list[ElementTree.Element]:
    return [e for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}text")]


def test_the_sentences_can_be_quoted():
    assert sentences(curve()) == [
        "Best: step 2,000 with 55.0 %; 53.0 % after correction for having been chosen from 3 checkpoints, "
        "interval [50.0, 60.0].",
        "Not distinguishable from it: step 1,000.",
        "Against step 0 (the first checkpoint): better at step 2,000, after correction for 2 comparisons.",
        "Changes from one checkpoint to the next that survive correction: 1,000 → 2,000 (+10.0).",
    ]


def test_where_lower_is_better_a_rise_is_worse():
    assert any("worse at step 2,000" in said for said in sentences(curve(higher_is_better=False)))


def test_what_is_not_known_is_not_claimed():
    alone = curve(points=[point(0, 0.4)], best=None, band=None)
    assert sentences(alone) == ["One checkpoint has scores: there is no curve yet and nothing to choose from."]
    problem = curve(best={"problem": "no item has all"})
    assert "cannot be said: no item has all" in sentences(problem)[0]
    for shown in (alone, problem):
        assert "nan" not in curve_page(data(tasks={"maths": shown})).lower()
        curve_markdown(data(tasks={"maths": shown}))


def test_steps_in_a_row_are_said_as_a_range():
    assert said_steps([20, 30, 40], [10, 20, 30, 40]) == "steps 20 to 40"
    assert said_steps([20, 40, 50], [10, 20, 30, 40, 50]) == "steps 20; 40; 50"
    assert said_steps([1000], [1000]) == "step 1,000"


def test_many_steps_are_put_together_and_then_counted():
    order = list(range(0, 4000, 10))
    assert said_steps([0, *order[5:20], 900], order) == "steps 0; 50 to 190; 900"
    assert said_steps(order[::2], order) == "200 of 400 steps, from 0 to 3,980"


def test_of_many_changes_the_largest_are_said():
    before = {"b": "run.0", "survives": True, "note": ""}
    points = [point(0, 0.1)]
    points += [point(s, 0.1, None, {**against(s / 1000, True), **before}) for s in range(1, 100)]
    (said,) = [s for s in sentences(curve(points=points, best=None, band=None)) if s.startswith("Changes")]
    assert said.count("→") == 10
    assert "0 → 90 (+9.0)" in said
    assert said.endswith("0 → 99 (+9.9); these are the 10 largest of 99.")


def test_what_many_checkpoints_lack_is_said_once():
    points = [point(s, 0.4, against(0.1, False, note="no scored item" if s else "")) for s in range(4)]
    assert curve_page(data(tasks={"maths": curve(points=points, best=None)})).count("no scored item") == 1


def test_filled_dots_are_what_could_be_the_best():
    shown = level_plot(curve())
    assert (looks(shown, "dot"), looks(shown, "hollow"), looks(shown, "ref")) == (2, 1, 0)
    assert "best" in [t.text for t in texts(shown)]
    baseline = level_plot(curve(reference={"checkpoint": "gpt", "role": "baseline"}))
    assert looks(baseline, "ref") == 1
    assert "gpt: 40.0" in [t.text for t in texts(baseline)]


def test_the_band_is_drawn_where_it_is_known_only():
    steps = [0, 10, 20, 30]
    known = [{"step": s, **against(0.1 * s / 10, True)} for s in steps]
    assert looks(band_plot(known, steps), "band") == 1
    known[1] |= {"band_low": None, "band_high": None}
    shown = band_plot(known, steps)
    assert looks(shown, "band") == 2
    assert (looks(shown, "dot"), looks(shown, "line")) == (4, 1)
    assert looks(band_plot([{"step": 1, **against(0.1, False)}], [1]), "hollow") == 1


def test_a_point_lies_where_its_number_says():
    svg = ElementTree.fromstring(band_plot([{"step": s, **against(s / 100, True)} for s in (0, 10, 20)], [0, 10, 20]))
    heights = [float(e.get("cy")) for e in svg.iter() if e.tag.endswith("circle")]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.2)
    assert heights[0] > heights[2]


def test_two_runs_are_told_apart_without_colour():
    runs = {"a": [point(0, 0.4), point(10, 0.5)], "b": [point(0, 0.3), point(10, 0.6)]}
    shown = two_runs_plot({"metric": "accuracy", "higher_is_better": True, "runs": runs})
    assert looks(shown, "dot") == looks(shown, "other") == 3  # two points and the legend's
    assert "stroke-dasharray" in shown


@pytest.mark.parametrize("steps", [[5], [0, 1], [0, 1_000_000], list(range(0, 100_000, 1000))])
def test_labels_stay_inside_and_apart(steps):
    points = [point(step, 0.999, against(0.2, True)) for step in steps]
    for svg in (level_plot(curve(points=points)), band_plot([{"step": s, **against(0.2, True)} for s in steps], steps)):
        root = ElementTree.fromstring(svg)
        width, boxes = float(root.get("width")), []
        for label in texts(svg):
            long, x = 6.9 * len(label.text), float(label.get("x"))
            left = x - {"start": 0, "middle": long / 2, "end": long}[label.get("text-anchor")]
            assert -2 <= left < left + long <= width + 2, label.text
            boxes.append((left, left + long, float(label.get("y"))))
        for i, (left, right, y) in enumerate(boxes):
            for other_left, other_right, other_y in boxes[i + 1 :]:
                assert abs(y - other_y) > 9 or right <= other_left or other_right <= left


def test_the_page_is_one_file_and_names_are_no_markup():
    shown = curve_page(data(run="<b>", absent={"<i>": "gone & away"}))
    assert "<b>" not in shown
    assert "&lt;i&gt; is left out: gone &amp; away" in shown
    assert not re.search(r'(src|href)="', shown)
    assert shown.count("<svg") == 2


def test_the_page_says_what_is_missing():
    shown = curve_page(data(tasks={"maths": curve(not_evaluated=[500, 1500], notes=["run.7 is stale"])}))
    assert "Without a report on this task: steps 500; 1,500" in shown
    assert "run.7 is stale" in re.sub("<wbr>", "", shown)


def test_markdown_shows_plots_as_images_and_survival_in_bold():
    shown = curve_markdown(data())
    assert shown.count("](data:image/svg+xml;base64,") == 2
    assert "**+15.0 [+11.0, +19.0]**" in shown
    assert "**+5.0" not in shown


def test_the_table_fits_eighty_columns():
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(curve_terminal(curve()))
    shown = console.export_text()
    assert "…" not in shown
    assert "+15.0 * [+9.0, +21.0]" in shown


def test_two_runs_on_a_page():
    entry = {**against(0.02, False), "p_adjusted": 0.4, "method": "paired"}
    steps = [{**entry, "step": 0}, {**entry, "step": 10, "mean_diff": 0.2, "survives": True}]
    task = {
        "task": "maths", "metric": "accuracy", "higher_is_better": True, "steps": steps, "only_a": [], "only_b": [20],
        "overall": {**entry, "steps": 2, "p_value": 0.003}, "notes": [],
        "runs": {"a": [point(0, 0.4), point(10, 0.5)], "b": [point(0, 0.3), point(20, 0.6)]},
    }  # fmt: skip
    assert pair_sentence(task, "a", "b") == (
        "a vs b on maths: accuracy +2.0 points [−2.0, +6.0], p = 0.003, mean over 2 common steps, 100 items in "
        "50 clusters. Differences that survive correction: at step 10."
    )
    shown = run_comparison_page({"run_a": "a", "run_b": "b", "tasks": {"maths": task}, "absent": {}, "at": "now"})
    assert "Only b has step 20: not paired." in shown
