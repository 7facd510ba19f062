"""All tasks in one plot."""

import math
import re
from xml.etree import ElementTree

from eval_assets.reporting import checkpoint_page
from eval_assets.reporting.forest import WIDTH, suite_forest


def drawn(svg):
    """Texts with their places, and circles as (x, filled)."""
    root = ElementTree.fromstring(svg)
    texts = {"".join(t.itertext()): float(t.get("x")) for t in root.iter() if t.tag.endswith("text")}
    dots = [(float(c.get("cx")), c.get("fill") != "#ffffff") for c in root.iter() if c.tag.endswith("circle")]
    return texts, dots


def test_scores_and_differences_of_all_tasks(make):
    rows = [
        {"label": "maths", "score": make.metric(0.6), "difference": make.comparison(0.05, 0.001)},
        {"label": "birds", "score": make.metric(0.5), "difference": make.comparison(-0.01, 0.02, p_adjusted=0.08)},
        {"label": "owls", "score": make.metric(0.4), "difference": None},
    ]
    texts, dots = drawn(suite_forest(rows, "base"))
    for said in ("maths", "60.0 [58.0, 62.0]", "+5.0 [+3.0, +7.0], Holm p = 0.001", "not compared"):
        assert said in texts
    left, right = [d for d in dots if d[0] < WIDTH / 2], [d for d in dots if d[0] > WIDTH / 2]
    assert [x for x, _ in left] == sorted((x for x, _ in left), reverse=True), "higher scores stand further right"
    assert [filled for _, filled in right] == [True, False], "0.02 is no finding after the correction"


def test_the_words_of_a_row_have_their_room(make):
    long = make.comparison(-0.4567, 0.0001)
    rows = [{"label": "a_task_with_a_long_name_indeed_it_is", "score": make.metric(0.9999), "difference": long}]
    texts, _ = drawn(suite_forest(rows, "a_checkpoint_with_a_long_name.123456"))
    for said, x in texts.items():
        if said.startswith("−45.7"):
            assert x + 6.9 * len(said) < WIDTH


def test_a_phone_gets_the_differences_below_the_scores(make):
    """On a narrow screen the wide plot would be cut off, or its words too small to read."""
    entry = make.comparison(-0.4567, 0.0001)
    rows = [{"label": "a_task_with_a_long_name_indeed_it_is", "score": make.metric(0.9999), "difference": entry}]
    picture = suite_forest(rows, "a_checkpoint_with_a_long_name.123456", narrow=True)
    width = int(ElementTree.fromstring(picture).get("width"))
    assert width <= 460
    texts, dots = drawn(picture)
    assert len(dots) == 2
    assert {"100.0 [98.0, 102.0]", "−45.7 [−47.7, −43.7]"} <= set(texts)
    assert all(x > 0 and x + 6.9 * len(said) < width for said, x in texts.items() if said[-1] == "]")


def test_unknown_is_said_and_not_drawn(make):
    nothing = {"mean_diff": None, "ci_low": None, "ci_high": None, "p_value": None, "b": "base", "p_adjusted": None}
    rows = [{"label": "maths", "score": make.metric(math.nan, math.nan), "difference": nothing}]
    texts, dots = drawn(suite_forest(rows, "base"))
    assert dots == []
    assert {"n/a", "n/a, p n/a"} <= set(texts)
    assert "no tasks" in suite_forest([])


def test_less_is_better_is_beside_the_name(make):
    row = {"label": "wer", "score": make.metric(0.2, higher_is_better=False), "difference": None}
    assert "wer (less is better)" in drawn(suite_forest([row]))[0]


def test_the_page_has_plot_macro_average_and_gate(make):
    tasks = {name: make.cell_report(name) for name in ("maths", "birds")}
    entries = [make.comparison(-0.1, 0.001, task=name, b="base") for name in tasks]
    gates = {"maths": [make.decision("fail", stops=True)], "birds": [make.decision("pass")]}
    page = checkpoint_page(
        make.checkpoint_data(
            tasks=tasks, history={name: [] for name in tasks}, baseline="base", macro=make.macro(), gates=gates,
            comparisons={"baseline": entries},
        )
    )  # fmt: skip
    assert "macro average" in page
    assert "difference to base, points" in page
    words = re.sub(r"<[^>]+>", "", page)
    assert "Macro average 61.0 [59.0, 63.0] % over 2 tasks" in words
    assert "Stopped by the gate: maths, no worse than baseline: much worse" in words
    assert "Gate, blocking checks: 1 passed, 1 failed" in words
    assert "−10.0 points vs base, 95 % CI −12.0 to −8.0" in words
