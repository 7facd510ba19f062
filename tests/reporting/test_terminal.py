import io
import math

from rich.console import Console

from eval_assets.reporting import comparison_table, curve_table, score_table
from eval_assets.reporting.terminal import strip


def shown(table, width=100):
    out = io.StringIO()
    Console(file=out, width=width, no_color=True).print(table)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text.replace(" … ", ""), "no number is cut"
    return text


def test_scores_fit_a_shell(make):
    report = make.cell_report("a_task_with_a_name_that_is_longer_than_any_column_should_have_to_be_in_a_shell")
    report["metrics"]["wer"] = make.metric(0.1, higher_is_better=False)
    report["metrics"]["unknown"] = make.metric(math.nan, n=None)
    text = shown(score_table([report]))
    assert "58.3 [56.3, 60.3] 200 100 100.0" in " ".join(text.split())
    assert "wer (lower is better)" in text
    assert "n/a" in text


def test_comparisons_fit_a_shell_and_say_who(make):
    long = "a-checkpoint-with-a-long-name-from-some-hub-7b-instruct"
    entries = [make.comparison(-0.1184, 0.0001, b=long), make.comparison(0.01, 0.4, p_adjusted=None)]
    text = shown(comparison_table(entries))
    assert "−11.8 [−13.8, −9.8]" in text
    assert "worse" in text
    assert "no difference" in text


def test_a_curve_shows_each_step_with_its_differences(make):
    lines = shown(curve_table(make.history())).splitlines()
    last = next(line for line in lines if line.strip().startswith("2,000"))
    assert "58.3 [56.3, 60.3]" in last
    assert "+18.3 [+16.3, +20.3]" in last
    unknown = next(line for line in lines if line.strip().startswith("1,000"))
    assert "n/a" in unknown
    assert "●" not in unknown


def test_a_strip_moves_with_the_score(make):
    drawn = [strip(make.metric(v, 0.05), 0.0, 1.0, 20) for v in (0.1, 0.9)]
    assert drawn[0].index("●") < drawn[1].index("●")
    assert len(drawn[0]) == 20
    assert strip(make.metric(math.nan), 0.0, 1.0) == ""


def test_names_are_not_markup(make):
    assert "[red]x" in shown(score_table([make.cell_report("[red]x")]))


def test_what_was_used_stands_below_and_nothing_where_it_is_unknown(make):
    usage = {"prompt_tokens": 8910, "completion_tokens": 512, "cost": 1.5}
    text = shown(score_table([make.cell_report("maths", usage=usage), make.cell_report("birds")]))
    assert "maths: 8,910 tokens in, 512 out, cost 1.5000" in " ".join(text.split())
    assert "birds:" not in text
    assert "tokens" not in shown(score_table([make.cell_report("birds")]))
