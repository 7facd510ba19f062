"""Plots of streams: what stands in them, and that nothing is drawn that is not known."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from eval_assets.pipeline.context_sweep import POLICIES
from eval_assets.reporting.context_plots import budget_curves, latency_histogram
from eval_assets.reporting.view import breakdowns

METRIC = {"name": "accuracy", "higher_is_better": True}


def curve(policy, *values):
    points = [
        {"budget": budget, "value": value, "ci_low": value and value - 0.1, "ci_high": value and value + 0.1}
        for budget, value in values
    ]
    return {"policy": policy, "points": points}


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


def test_curves_have_their_budgets_below_and_their_names_beside():
    curves = [
        curve("window", (2, 0.4), (8, 0.5), (32, 0.6)),
        curve("thinning", (2, 0.45), (8, 0.55), (32, 0.61)),
        curve("all", (None, 0.7)),
    ]
    svg = budget_curves(curves, METRIC)
    said = words(svg)
    assert {"accuracy, %", "2", "8", "32", "window", "thinning", "all"} <= set(said)
    assert "thinning, 8 frames: 55.0 [45.0, 65.0]" in said
    x = {t: float(a) for a, t in re.findall(r'x="([\d.]+)" y="226.0"[^>]*>(\d+)<', svg)}
    assert x["8"] - x["2"] == pytest.approx(x["32"] - x["8"], abs=0.2), "log scale"
    beside = sorted(float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>(?:window|thinning|all)<', svg))
    assert min(b - a for a, b in pairwise(beside)) >= 13.9, "names do not touch"


def test_each_policy_has_a_mark_of_its_own():
    drawn = [policy for policy in POLICIES if policy != "all"]
    svg = budget_curves([curve(policy, (2, 0.4), (8, 0.5)) for policy in drawn], METRIC)
    marks = re.findall(r'<circle class="pl-(\w+)" ([^>]*?) cx', svg)
    assert len({look for look, _ in marks}) == len({shape for _, shape in marks}) == len(drawn)


def test_names_of_curves_that_lie_on_the_axis_stay_above_it():
    level = [curve(policy, (2, 0.0), (8, 0.0)) for policy in ("window", "thinning", "changes")]
    svg = budget_curves([*level, curve("all", (None, 0.0))], METRIC)
    beside = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>(?:window|thinning|changes|all)<', svg)]
    assert len(beside) == 4
    assert max(beside) <= 212


def test_what_is_not_known_is_not_drawn():
    svg = budget_curves([curve("window", (2, None), (4, 0.5))], METRIC)
    assert svg.count("<circle") == 2, "one point, and the mark beside the name"
    assert "no accuracy by budget" in budget_curves([curve("window", (2, None))], METRIC)
    assert "no accuracy by budget" in budget_curves([curve("all", (None, 0.5))], METRIC)


def test_a_histogram_counts_every_event_once():
    svg = latency_histogram([0.0, 0.4, 0.5, 0.5, 2.9], "window")
    assert "events told of, window (5)" in words(svg)
    assert sum(int(n) for n in re.findall(r" s: (\d+)</title>", svg)) == 5
    ElementTree.fromstring(latency_histogram([0.0, 0.0], "window"))
    ElementTree.fromstring(latency_histogram([120.0, 3.0], "window"))
    assert "no event was told of" in latency_histogram([], "window")


def test_a_breakdown_says_percent_only_of_shares():
    entry = {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "n": 3}
    metrics = {"accuracy": entry, "latency": {**entry, "own_unit": True}}
    (part,) = breakdowns({"by": {"scene": {"cut": metrics}}, "primary": "accuracy", "metrics": metrics})
    assert part["metrics"] == ["accuracy, %", "latency"]
    assert part["rows"][0]["scores"] == ["50.0 [40.0, 60.0]", "0.50 [0.40, 0.60]"]
