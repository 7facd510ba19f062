import math
import re
from html.parser import HTMLParser

import pytest

from eval_assets.reporting import checkpoint_page, leaderboard_page

VOID = {"meta", "wbr"}


class Reader(HTMLParser):
    """The page's visible words, every tag and attribute, and whether all tags are closed."""

    def __init__(self, page):
        super().__init__()
        self.words, self.tags, self.attributes, self.open = [], set(), [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th", "small", "dd"):
            self.words.append(" ")

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "svg"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join("".join(self.words).split())


def read(page):
    reader = Reader(page)
    assert not reader.open
    return reader


def test_the_headline_has_score_interval_counts_and_verdict(make):
    text = read(checkpoint_page(make.checkpoint_data())).text
    for said in ("58.3", "[56.3, 60.3]", "better than step 0", "+18.3 [+16.3, +20.3]", "p < 0.001", "adjusted < 0.001"):
        assert said in text
    assert "Against step 0 (first): better on maths." in text


def test_unknown_numbers_are_not_zero(make):
    report = make.cell_report(
        metrics={"accuracy": make.metric(math.nan, math.nan, n=0, coverage=None, note="undefined: no scored item")},
        coverage=None, n_samples=0, bounds={"all_wrong": None, "all_right": None},
    )  # fmt: skip
    data = make.checkpoint_data(tasks={"maths": report}, history={"maths": []}, comparisons={})
    text = read(checkpoint_page(data)).text
    assert "undefined: no scored item" in text
    assert "n/a % with everything unscored wrong" in text
    assert not re.search(r"\b(nan|None)\b", text)
    assert "0.0" not in text.replace("temperature 0.0", "")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}"])
def test_names_from_data_are_harmless(make, name):
    report = make.cell_report(
        task=name, checkpoint=name, flags={name: 3}, unscored={name: 8}, clusters=name, judge={"name": name},
        primary=name, metrics={name: make.metric(0.5, note=name, method=name)}, gen_kwargs={name: name},
        by={name: {name: {name: make.metric(0.5)}}},
    )  # fmt: skip
    entry = make.comparison(0.1, 0.001, task=name, b=name, method=name, note=name)
    data = make.checkpoint_data(
        checkpoint=name, run=name, suite=name, tasks={name: report}, missing=[name], history={name: make.history()},
        comparisons={"baseline": [entry]}, baseline=name, provenance={"git_commit": name, "versions": {name: name},
        "fingerprint": name, "model": name, "source": name},
    )  # fmt: skip
    row = make.board_row(name, name, 0.5, metric=name, run=name)
    for page in (checkpoint_page(data), leaderboard_page({"rows": [row], "at": name})):
        reader = read(page)
        assert not {"script", "img"} & reader.tags
        assert not [a for a, _ in reader.attributes if a.startswith("on")]
        assert name in reader.text


def test_pages_load_nothing(make):
    for page in (
        checkpoint_page(make.checkpoint_data()),
        leaderboard_page({"rows": [make.board_row("a", "t", 0.5)], "at": ""}),
    ):
        assert set(re.findall(r"(?:https?:)?//[^\s\"'<>]+", page)) <= {"http://www.w3.org/2000/svg"}
        reader = read(page)
        assert not {"script", "link", "iframe", "img"} & reader.tags
        assert not [a for a, _ in reader.attributes if a in ("src", "href", "srcset")]
        assert "@import" not in page
        assert "url(" not in page


def test_flags_are_rates_of_samples_and_bounds_stand_beside_what_is_unscored(make):
    report = make.cell_report(flags={"no_answer": 40, "truncated": 4}, unscored={"judge failed": 8})
    text = read(checkpoint_page(make.checkpoint_data(tasks={"maths": report}))).text
    assert "no answer 10.0 % (40); truncated 1.0 % (4)" in text
    assert "judge failed 2.0 % (8)" in text
    assert "57.1 % with everything unscored wrong, 59.1 % with it right" in text


def test_what_was_used_is_said_on_the_page(make):
    usage = {"prompt_tokens": 8910, "completion_tokens": 512, "cached_tokens": 7, "cost": 0.5}
    page = checkpoint_page(make.checkpoint_data(tasks={"maths": make.cell_report(usage=usage)}))
    assert "8,910 tokens in (7 cached), 512 out, cost 0.5000" in page


def test_lower_is_better_is_said_and_judged(make):
    report = make.cell_report(metrics={"accuracy": make.metric(0.1, higher_is_better=False)})
    entry = make.comparison(-0.05, 0.0001, higher_is_better=False)
    data = make.checkpoint_data(tasks={"maths": report}, comparisons={"first": [entry]})
    text = read(checkpoint_page(data)).text
    assert "lower is better" in text
    assert "better than step 0" in text
    assert "worse" not in text


def test_roles_that_are_one_checkpoint_share_a_column(make):
    entry = make.comparison(0.1, 0.001)
    data = make.checkpoint_data(previous="sft.0", comparisons={"previous": [entry], "first": [entry]})
    text = read(checkpoint_page(data)).text
    assert text.count("better than step 0") == 1
    assert "Against step 0 (previous, first): better on maths." in text


def test_another_checkpoint_per_task_is_named(make):
    """The previous scored checkpoint may be another one for another task."""
    entries = [make.comparison(0.1, 0.001, b="sft.1000"), make.comparison(0.1, 0.001, task="pope", b="sft.500")]
    tasks = {"maths": make.cell_report(), "pope": make.cell_report("pope")}
    text = read(checkpoint_page(make.checkpoint_data(tasks=tasks, comparisons={"previous": entries}))).text
    assert "better than step 1000" in text
    assert "better than step 500" in text


def test_what_is_missing_is_said(make):
    data = make.checkpoint_data(
        missing=["mmmu"], baseline="qwen", tasks={"a": make.cell_report("a"), "maths": make.cell_report()}
    )
    text = read(checkpoint_page(data)).text
    assert "Without a report yet: mmmu" in text
    assert "Not compared with the baseline qwen" in text
    assert "not compared" in text, "task a has no entry in the column"


def test_breakdowns_show_each_category_with_its_interval(make):
    parts = {"geometry": {"accuracy": make.metric(0.25)}, "topology": {"accuracy": make.metric(math.nan, n=0)}}
    text = read(checkpoint_page(make.checkpoint_data(tasks={"maths": make.cell_report(by={"category": parts})}))).text
    assert "geometry 200 25.0 [23.0, 27.0]" in text
    assert "topology 0 n/a" in text


def test_an_ordered_field_is_drawn_as_a_curve_unless_a_value_is_no_number(make):
    parts = {level: {"accuracy": make.metric(0.5)} for level in ("1", "2")}
    for by, curved in ((parts, True), ({**parts, "hard": parts["1"]}, False)):
        report = make.cell_report(by={"level": by}, ordered=["level"])
        page = checkpoint_page(make.checkpoint_data(tasks={"maths": report}))
        assert ("accuracy by level, in percent. level 1: 50.0" in page) == curved


def test_the_baseline_line_is_drawn_only_on_the_same_items(make):
    same = make.checkpoint_data(comparisons={"baseline": [make.comparison(0.1, 0.01, b="qwen")]}, baseline="qwen")
    fewer = make.checkpoint_data(
        comparisons={"baseline": [make.comparison(0.1, 0.01, b="qwen", n=150)]}, baseline="qwen"
    )
    assert "qwen: 48.3" in checkpoint_page(same)
    assert "qwen: 48.3" not in checkpoint_page(fewer)


def test_the_leaderboard_marks_the_best_by_the_metrics_direction(make):
    rows = [
        make.board_row("low", "speech", 0.1, higher_is_better=False),
        make.board_row("high", "speech", 0.3, higher_is_better=False),
        make.board_row("low", "maths", 0.6), make.board_row("high", "maths", math.nan, coverage=0.5),
    ]  # fmt: skip
    page = leaderboard_page({"rows": rows, "at": "2026-01-02T03:04:05+00:00"})
    text = read(page).text
    assert text.index("low") < text.index("high 30.0")
    assert re.findall(r'class="num best"><span class="score">([\d.]+)', page) == ["10.0", "60.0"]
    assert "n/a" in text
    assert "coverage 50.0 %" in text


def test_the_leaderboard_puts_whole_rows_first_and_says_what_was_not_run(make):
    rows = [make.board_row("only_easy", "a", 0.9), make.board_row("both", "a", 0.5), make.board_row("both", "b", 0.5)]
    text = read(leaderboard_page({"rows": rows, "at": "now"})).text
    assert text.index("both 50.0") < text.index("only_easy 90.0")
    assert text.count("not run") == 1


def test_an_empty_leaderboard_says_so():
    assert "No report yet" in leaderboard_page({"rows": [], "at": "now"})
