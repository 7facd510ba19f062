import math
import re
from xml.etree import ElementTree

import pytest

from eval_assets.reporting.axes import padded, ticks
from eval_assets.reporting.plots import (
    breakdown_plot,
    difference_plot,
    frames_curve,
    interval_plot,
    interval_strip,
    learning_curve,
)

SVG = "{http://www.w3.org/2000/svg}"


def shapes(svg, look):
    return [e for e in ElementTree.fromstring(svg).iter() if e.get("class") == f"pl-{look}"]


def texts(svg):
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def row(label, value, half=0.05):
    return {"label": label, "value": value, "ci_low": value - half, "ci_high": value + half}


def test_a_forest_plot_has_a_dot_and_an_interval_a_row_in_order_of_value():
    svg = interval_plot([row("geometry", 0.3), row("algebra", 0.6)])
    left, right = (float(e.get("cx")) for e in shapes(svg, "dot"))
    assert left < right
    bars = shapes(svg, "bar")
    assert float(bars[0].get("x1")) < left < float(bars[0].get("x2"))
    assert "30.0 [25.0, 35.0]" in texts(svg)


def test_an_unknown_row_stays_and_says_so():
    svg = interval_plot([row("known", 0.5), {"label": "unknown", "value": math.nan, "ci_low": None, "ci_high": None}])
    assert len(shapes(svg, "dot")) == 1
    assert {"unknown", "n/a"} <= set(texts(svg))


def test_a_score_without_interval_gets_no_line():
    svg = interval_plot([{"label": "one cluster", "value": 0.5, "ci_low": math.nan, "ci_high": math.nan}])
    assert not shapes(svg, "bar")
    assert "50.0 [n/a]" in texts(svg)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'a"b&c', "bell\x07 and \ud800", "x" * 500])
def test_any_name_gives_valid_xml(make, name):
    curve = [{**p, "metric": name} for p in make.history()]
    for svg in (interval_plot([row(name, 0.5)]), learning_curve(curve, (name, 0.5))):
        root = ElementTree.fromstring(svg)
        assert root.tag == f"{SVG}svg"
        assert not [e for e in root.iter() if "script" in e.tag]


def test_labels_stay_inside_the_picture():
    svg = interval_plot([row("a category with a name that nobody would want to read", 1.0, 0.0)])
    label = next(t for t in texts(svg) if t.endswith("…") or "nobody" in t)
    assert "nobody would want to read" in label  # in full under the pointer
    assert all(0 <= float(e.get("cx")) <= 460 for e in shapes(svg, "dot"))


def test_a_learning_curve_has_real_steps_and_leaves_gaps(make):
    svg = learning_curve(make.history(), ("qwen", 0.5))
    assert len(shapes(svg, "dot")) == 2
    assert not shapes(svg, "line"), "no line across the step whose score is unknown"
    assert {"0", "1,000", "2,000", "qwen: 50.0", "accuracy, %"} <= set(texts(svg))
    assert len(shapes(svg, "ref")) == 1


def test_a_baseline_of_zero_is_drawn(make):
    assert len(shapes(learning_curve(make.history(), ("random", 0.0)), "ref")) == 1


def test_higher_scores_are_drawn_higher(make):
    first, last = shapes(learning_curve(make.history()), "dot")
    assert float(first.get("cy")) > float(last.get("cy"))


def test_a_difference_plot_fills_only_what_excludes_zero():
    points = [
        {"step": 10, "mean_diff": 0.01, "ci_low": -0.02, "ci_high": 0.04},
        {"step": 20, "mean_diff": -0.05, "ci_low": -0.08, "ci_high": -0.02},
    ]
    svg = difference_plot(points, start=0)
    assert (len(shapes(svg, "hollow")), len(shapes(svg, "dot"))) == (1, 1)
    assert {"0", "−5"} <= set(texts(svg))
    said = ElementTree.fromstring(svg).get("aria-label")
    assert "step 20: −5.0 [−8.0, −2.0]" in said


def test_lower_is_better_is_said(make):
    curve = [{**p, "higher_is_better": False} for p in make.history()]
    assert "accuracy, % (lower is better)" in texts(learning_curve(curve))


@pytest.mark.parametrize(
    "points", [[], [{"step": 1, "value": None, "mean_diff": None}], [{"step": None, "value": 0.5}]]
)
def test_nothing_known_is_said_and_not_drawn(points):
    for svg in (learning_curve(points), difference_plot(points)):
        assert "n/a" in texts(svg)[0]
        assert not shapes(svg, "dot")


def test_one_step_alone_is_drawn(make):
    svg = learning_curve(make.history()[:1])
    assert len(shapes(svg, "dot")) == 1
    assert "nan" not in svg


def test_a_strip_places_the_score_on_the_columns_scale(make):
    at = [float(shapes(interval_strip(make.metric(v), 0.3, 0.9), "dot")[0].get("cx")) for v in (0.35, 0.85)]
    assert at[0] < 48 < at[1]


def test_plots_need_nothing_from_elsewhere(make):
    svg = learning_curve(make.history(), ("b", 0.5))
    assert set(re.findall(r"https?://[^\"' ]+", svg)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize(("low", "high"), [(0, 1), (17.2, 31.9), (-3.1, 0.4), (0, 4500), (99.2, 99.9)])
def test_ticks_are_few_round_and_inside(low, high):
    found = ticks(low, high, 5)
    assert 2 <= len(found) <= 6
    assert all(low <= t <= high and len(f"{t:g}") <= 5 for t in found)


def test_steps_get_whole_ticks():
    assert all(t == int(t) for t in ticks(0, 3, 5, whole=True))


def test_a_range_holds_every_value():
    assert padded([50.0], within=(0, 100)) == (49.0, 51.0)
    low, high = padded([-2.0, 99.9, math.nan], within=(0, 100))
    assert low == -2.0
    assert high == 100


def part(labels, *, ordered=True):
    overall = {**row("all", 0.5), "strong": True}
    rows = [row(label, 0.9 - 0.1 * i) for i, label in enumerate(labels)]
    return {"field": "difficulty", "lead": "mra", "plotted": [overall, *rows], "ordered": ordered}


def test_an_ordered_field_is_a_curve_over_its_values():
    svg = breakdown_plot(part(["1", "2", "5"]))
    dots = shapes(svg, "dot")
    places = [float(d.get("cx")) for d in dots]
    assert places == sorted(places)
    assert places[2] - places[1] > 2 * (places[1] - places[0]), "5 is as far from 2 as numbers are"
    assert [float(d.get("cy")) for d in dots] == sorted(float(d.get("cy")) for d in dots), "it falls"
    assert len(shapes(svg, "bar")) == 3
    assert {"difficulty", "mra, %"} <= set(texts(svg))
    assert len(shapes(svg, "ref")) == 1
    assert not shapes(svg, "reftext"), "the caption says what is dashed: a label would lie on a point"
    assert "difficulty 5: 70.0" in svg


def test_a_field_without_order_and_one_value_alone_are_forest_plots():
    for given in (part(["1", "2"], ordered=False), part(["1"])):
        assert "all" in texts(breakdown_plot(given))


def test_an_ordered_field_without_any_score_says_so():
    unknown = {"label": "1", "value": math.nan, "ci_low": math.nan, "ci_high": math.nan}
    given = {**part(["1", "2"]), "plotted": [row("all", math.nan), unknown, {**unknown, "label": "2"}]}
    assert "no score by difficulty" in breakdown_plot(given)


def test_twice_the_frames_are_one_step_to_the_right():
    points = [{**row("", 0.2 + 0.1 * i), "frames": frames} for i, frames in enumerate((8, 16, 64, 2048))]
    points[2] |= {"value": math.nan, "ci_low": math.nan, "ci_high": math.nan}
    svg = frames_curve(points, "accuracy", (0.0, 1.0))
    first, second, last = (float(dot.get("cx")) for dot in shapes(svg, "dot"))
    assert last - first == pytest.approx(8 * (second - first), abs=1)
    assert {"8", "16", "64", "2,048"} <= set(texts(svg))
    assert len(shapes(svg, "line")) == 1, "no line across what is not known"
