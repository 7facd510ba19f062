import math

import pytest

from eval_assets.reporting.words import (
    checkpoint_name,
    could_detect,
    count,
    interval,
    p_words,
    percent,
    points,
    quote,
    rate,
    tokens,
    verdict,
    within_margin,
)


@pytest.mark.parametrize("unknown", [None, math.nan, math.inf])
def test_unknown_is_never_zero(unknown):
    assert percent(unknown) == points(unknown) == count(unknown) == "n/a"
    assert interval({"ci_low": unknown, "ci_high": unknown}) == "n/a"


def test_units_signs_and_separators():
    assert percent(0.21683) == "21.7"
    assert percent(0.0) == "0.0"
    assert points(0.0214) == "+2.1"
    assert points(-0.0214) == "−2.1"
    assert count(8910) == "8,910"
    assert interval({"ci_low": -0.01, "ci_high": 0.034}, signed=True) == "[−1.0, +3.4]"


def test_a_half_known_interval_says_which_end_is_unknown():
    assert interval({"ci_low": 0.1, "ci_high": math.nan}) == "[10.0, n/a]"


def test_rate_of_nothing_is_unknown():
    assert rate(3, 400) == "0.8"
    assert rate(0, 0) == "n/a"


def test_p_values():
    assert p_words(0.00004) == "p < 0.001"
    assert p_words(0.0341) == "p = 0.034"
    assert p_words(math.nan) == "p n/a"


def test_a_checkpoint_is_named_by_step_only_in_its_own_run():
    assert checkpoint_name("sft.4000", "sft") == "step 4000"
    assert checkpoint_name("sft.4000", "other") == "sft.4000"
    assert checkpoint_name("sft.final", "sft") == "sft.final"
    assert checkpoint_name("qwen2.5", None) == "qwen2.5"


@pytest.mark.parametrize(
    ("diff", "higher_is_better", "tone"),
    [(0.05, True, "better"), (-0.05, True, "worse"), (0.05, False, "worse"), (-0.05, False, "better")],
)
def test_verdict_follows_the_metrics_direction(make, diff, higher_is_better, tone):
    said = verdict(make.comparison(diff, 0.0001, higher_is_better=higher_is_better), "sft")
    assert said == (tone, f"{tone} than step 0")


def test_verdict_is_by_the_adjusted_p(make):
    assert verdict(make.comparison(0.05, 0.02, p_adjusted=0.06)).words == "no difference shown"
    raw_only = make.comparison(0.05, 0.02)
    del raw_only["p_adjusted"]
    assert verdict(raw_only).tone == "better"


def test_what_was_not_tested_is_not_called_equal(make):
    assert verdict(make.comparison(0.05, math.nan)).words == "not tested"
    assert verdict(make.comparison(math.nan, math.nan)).words == "difference unknown"
    assert verdict(make.comparison(0.05, None, p_adjusted=None)).words == "not tested"


def test_what_was_used_in_one_line():
    used = {"prompt_tokens": 8910, "completion_tokens": 512, "cached_tokens": 120, "reasoning_tokens": 300}
    assert tokens({**used, "cost": 0.01324}) == "8,910 tokens in (120 cached), 512 out (300 reasoning), cost 0.0132"
    assert tokens({"prompt_tokens": 8910, "completion_tokens": None, "cached_tokens": 0}) == "8,910 tokens in, n/a out"
    assert tokens({"prompt_tokens": None, "cost": None}) == tokens({}) == "n/a"


def test_a_difference_can_be_quoted():
    entry = {
        "b": "gemini-pro", "mean_diff": 0.0214, "ci_low": 0.008, "ci_high": 0.0342, "p_value": 0.0031,
        "n": 3040, "n_clusters": 2950,
    }  # fmt: skip
    said = "+2.1 points vs gemini-pro, 95 % CI +0.8 to +3.4, p = 0.003, 3040 items in 2950 clusters"
    assert quote(entry) == said
    assert quote({**entry, "p_adjusted": 0.0062}) == said.replace("p = 0.003", "p = 0.003 (Holm p = 0.006)")
    assert quote({**entry, "p_adjusted": 0.0031}) == said
    assert quote({**entry, "n_clusters": 3040}).endswith(", 3040 items")
    assert "90 % CI" in quote({**entry, "level": 0.9})


def test_a_difference_without_an_interval_says_why():
    entry = {"b": "x", "mean_diff": 0.5, "ci_low": None, "ci_high": None, "p_value": None, "n": 6, "n_clusters": 1}
    assert quote({**entry, "note": "one cluster"}) == (
        "+50.0 points vs x, CI n/a, p n/a, 6 items in 1 cluster: one cluster"
    )


def test_what_items_show_and_what_a_margin_says():
    assert could_detect({"n": 3040, "detectable": 0.019}) == "3040 items show 1.9 points with 80 % power"
    assert could_detect({"n": 3040, "detectable": None}) == could_detect({"n": 2}) == ""
    said = within_margin({"margin": 0.02, "p_noninferior": 0.0004, "p_equivalent": 0.041})
    assert said == "margin 2.0 points: not worse p < 0.001, equivalent p = 0.041"
    assert within_margin({"margin": None}) == ""
