"""Stability and chance levels where people read them."""

from __future__ import annotations

from rich.console import Console

from eval_assets.reporting import checkpoint_page, score_table
from eval_assets.reporting.stability import figures, heading, stability_table


def estimate(value: float, note: str = "") -> dict:
    return {"value": value, "ci_low": value - 0.05, "ci_high": value + 0.05, "note": note}


def unknown(note: str) -> dict:
    return {"value": None, "ci_low": None, "ci_high": None, "note": note}


def block(**more):
    return {
        "k": 4, "ea": estimate(0.8), "ca": estimate(0.82), "iv": estimate(0.05), "cr": estimate(0.7),
        "between_variance": estimate(0.1), "worst_case": estimate(0.6),
        "pass_at_k": {"1": estimate(0.8), "4": estimate(0.9)},
        "pass_hat_k": {"4": estimate(0.6)}, "n": 304, "n_clusters": 300, "temperature": 0.7, "note": "", **more,
    }  # fmt: skip


def text_of(table) -> str:
    console = Console(width=110, record=True)
    console.print(table)
    return console.export_text()


def test_variances_are_numbers_and_shares_are_percent():
    shown = {f.name: (f.value, f.interval) for f in figures(block())}
    assert shown["EA"] == ("80.0", "[75.0, 85.0]")
    assert shown["IV"] == ("0.050", "[0.000, 0.100]")
    assert shown["pass@4"][0] == "90.0"
    assert shown["pass^4"] == ("60.0", "[55.0, 65.0]")
    assert "pass@1" not in shown, "it is EA"
    assert heading(block()) == "4 samples an item at temperature 0.7, 304 items in 300 clusters, 95 % intervals"


def test_what_is_unknown_says_why():
    said = text_of(stability_table(block(cr=unknown("undefined: no extracted answers were given"))))
    assert "n/a" in said
    assert "no extracted answers" in said


def test_the_page_has_a_stability_section_exactly_where_there_are_samples(make):
    data = make.checkpoint_data()
    assert "Stability" not in checkpoint_page(data)
    data["tasks"]["maths"]["stability"] = block()
    page = checkpoint_page(data)
    assert "<h3>Stability</h3>" in page
    assert "consistency rate" in page
    assert "temperature 0.7" in page


def test_chance_stands_beside_a_score_where_it_is_known_and_nowhere_else(make):
    plain, known = make.cell_report(), make.cell_report(metrics={"accuracy": make.metric(0.58, chance=0.25)})
    assert "chance" not in text_of(score_table([plain]))
    said = text_of(score_table([plain, known]))
    assert "chance" in said
    assert "25.0" in said
    assert "58.0" in said
    assert "chance 25.0" in checkpoint_page(make.checkpoint_data(tasks={"maths": known}))
    assert "chance" not in checkpoint_page(make.checkpoint_data())
