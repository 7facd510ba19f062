"""The likelihood of the label as a score."""

from __future__ import annotations

import asyncio
import math
from types import SimpleNamespace

import pytest

from judges import get_judge


def verdict(values, target="日本", tokens=(2,), **item):
    response = SimpleNamespace(
        text="", finish_reason="stop", loglikelihoods=values, error=None, continuation_tokens=tokens
    )
    return asyncio.run(get_judge("loglikelihood").judge_many([{"target": target, **item}], [response]))[0]


def test_the_score_is_the_mean_probability_of_a_byte_and_of_a_token():
    found = verdict((-3.0,))
    assert found.score == pytest.approx(math.exp(-3 / 6))
    assert found.values == pytest.approx({"loglikelihood": -3, "bytes": 6, "tokens": 2, "per_token": math.exp(-1.5)})
    assert verdict((-2.0,)).score > found.score, "higher is better"
    assert verdict((0.0,)).score == 1
    assert verdict((-math.inf,)).score == 0


def test_without_the_number_of_tokens_only_that_is_unknown():
    found = verdict((-3.0,), tokens=None)
    assert found.score == pytest.approx(math.exp(-0.5))
    assert math.isnan(found.values["per_token"])


def test_what_is_no_likelihood_of_the_label_is_unscored():
    assert "2 log-likelihoods" in verdict((-1.0, -2.0)).unscored
    assert "judge 'choice'" in verdict((-1.0,), choices=["日本", "x"]).unscored
    assert verdict((-1.0,), target=None).unscored == "missing label"
    assert "holds text" in get_judge("loglikelihood").judge({"target": "x"}, "x").unscored
    assert verdict((math.nan,)).flags == ("no_answer",)


def test_a_number_is_a_label_as_it_is_written():
    assert verdict((-2.0,), target=42).score == pytest.approx(math.exp(-1))
