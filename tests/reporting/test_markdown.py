import math
import re
from base64 import b64decode
from xml.etree import ElementTree

from eval_assets.reporting import cell_markdown, checkpoint_markdown, leaderboard_markdown


def tables(text):
    """Every table as rows of cells; pipes that are escaped do not part cells."""
    return [
        [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines() if line.startswith("|")
    ]


def images(text):
    return [b64decode(found) for found in re.findall(r"data:image/svg\+xml;base64,([^)]+)\)", text)]


def test_a_cell_says_its_numbers(make):
    text = cell_markdown(make.cell_report(flags={"refusal": 4}), [make.comparison(0.1834, 0.0001)])
    assert ["accuracy", "58.3", "[56.3, 60.3]", "200", "100", "100.0", "1.50"] in tables(text)
    assert [
        "maths",
        "accuracy",
        "step 0",
        "+18.3 [+16.3, +20.3]",
        "< 0.001",
        "< 0.001",
        "better than step 0",
    ] in tables(text)
    assert "refusal 1.0 % (4)" in text


def test_a_cell_says_what_was_used(make):
    usage = {"prompt_tokens": 8910, "completion_tokens": 512, "reasoning_tokens": 300, "cost": 0.5}
    assert "Used: 8,910 tokens in, 512 out (300 reasoning), cost 0.5000." in cell_markdown(
        make.cell_report(usage=usage)
    )
    assert "Used" not in cell_markdown(make.cell_report())


def test_a_cell_without_adjusted_p_says_na(make):
    entry = make.comparison(0.01, 0.5)
    del entry["p_adjusted"]
    assert tables(cell_markdown(make.cell_report(), [entry]))[-1][-3:] == ["0.500", "n/a", "no difference shown"]


def test_plots_are_images_that_stand_alone(make):
    by = {"category": {"a": {"accuracy": make.metric(0.2)}, "b": {"accuracy": make.metric(0.7)}}}
    found = images(cell_markdown(make.cell_report(by=by)))
    assert len(found) == 1
    assert b"20.0 [18.0, 22.0]" in found[0]
    assert ElementTree.fromstring(found[0]).get("width") == "460"
    assert len(images(checkpoint_markdown(make.checkpoint_data()))) == 1


def test_names_cannot_break_a_table_or_become_markup(make):
    name = "a|b\n<script>*x*</script>[l](u)"
    report = make.cell_report(task=name, by={"category": {name: {"accuracy": make.metric(0.2)}}})
    text = cell_markdown(report, [make.comparison(0.1, 0.01, task=name, b=name)])
    widths = {tuple(row): len(row) for row in tables(text)}
    assert set(widths.values()) == {7, 3}
    assert re.search(r"(?<!\\)<script", text) is None
    assert re.search(r"(?<!\\)\[l", text) is None


def test_a_checkpoint_has_tasks_summaries_and_what_is_missing(make):
    text = checkpoint_markdown(make.checkpoint_data(missing=["mmmu"]))
    assert ["maths", "accuracy", "58.3", "[56.3, 60.3]", "200", "100", "100.0"] in tables(text)
    assert "- Against step 0 (first): better on maths." in text
    assert "Without a report yet: mmmu" in text


def test_a_long_suite_does_not_fill_the_event_log(make):
    names = [f"task{i}" for i in range(40)]
    data = make.checkpoint_data(
        tasks={n: make.cell_report(n) for n in names}, history={n: make.history() for n in names}, comparisons={}
    )
    text = checkpoint_markdown(data)
    assert len(images(text)) == 12 + 1, "curves, and all tasks in one plot"
    assert "28 more curves" in text
    assert len(text) < 200_000


def test_the_leaderboard_is_a_grid(make):
    rows = [make.board_row("a", "t", 0.5), make.board_row("b", "t", 0.7), make.board_row("a", "u", math.nan)]
    found = tables(leaderboard_markdown({"rows": rows, "at": "now"}))
    assert found[0] == ["checkpoint", "t accuracy, %", "u accuracy, %"]
    assert ["b", "**70.0** [68.0, 72.0]", "–"] in found
    assert ["a", "50.0 [48.0, 52.0]", "n/a"] in found
    assert leaderboard_markdown({"rows": [], "at": "now"}) == "No report yet.\n"


def test_the_macro_average_and_the_gate_are_said(make):
    rows = {"maths": [make.decision("fail", stops=True), make.decision("inconclusive", "coverage", blocking=False)]}
    text = checkpoint_markdown(make.checkpoint_data(gates=rows, macro=make.macro()))
    assert "Macro average 61.0 \\[59.0, 63.0\\] % over 2 tasks, 400 items in 150 clusters; against the baseline" in text
    assert "- Gate, blocking checks: 1 failed." in text
    assert "- Stopped by the gate: maths, no worse than baseline: much worse." in text
