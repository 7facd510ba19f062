"""The bootstrap agrees with the closed forms where there are any, and repeats itself."""

import math

import numpy as np
import pytest

import stats

RNG = np.random.default_rng(30)
CLUSTER = np.repeat(np.arange(50), 4)
WORDS = RNG.integers(1, 20, 200)
ERRORS = RNG.binomial(WORDS, RNG.beta(2, 8, 50)[CLUSTER])


def error_rate(errors: np.ndarray, words: np.ndarray) -> float:
    return float(errors.sum() / words.sum())


def test_agrees_with_the_linearised_ratio() -> None:
    boot = stats.bootstrap_estimate(error_rate, (ERRORS, WORDS), CLUSTER, seed=1)
    exact = stats.ratio_estimate(ERRORS, WORDS, CLUSTER)
    assert boot.value == pytest.approx(exact.value)
    assert boot.se == pytest.approx(exact.se, rel=0.06)
    assert (boot.ci_low, boot.ci_high) == (
        pytest.approx(exact.ci_low, rel=0.05),
        pytest.approx(exact.ci_high, rel=0.05),
    )
    by_item = stats.bootstrap_estimate(error_rate, (ERRORS, WORDS), seed=1)
    assert by_item.se < 0.8 * boot.se


def test_agrees_with_the_paired_difference_of_two_f1() -> None:
    """Denominators differ between the models, and the splits share the pictures."""
    rng = np.random.default_rng(31)
    picture, split = np.tile(np.repeat(np.arange(80), 3), 2), np.repeat([0, 1], 240)
    truth = rng.random(480) < 0.5
    hard = rng.normal(size=80)[picture]
    said = [np.where(rng.normal(size=480) + hard + skill > 0, truth, ~truth) for skill in (1.2, 0.8)]
    parts = [2.0 * (truth & said[0]), 0.0 + truth + said[0], 2.0 * (truth & said[1]), 0.0 + truth + said[1]]

    def macro(a: np.ndarray, n: np.ndarray, b: np.ndarray, m: np.ndarray, s: np.ndarray) -> float:
        return float(np.mean([a[s == k].sum() / n[s == k].sum() - b[s == k].sum() / m[s == k].sum() for k in (0, 1)]))

    exact = stats.paired_ratio_difference(*parts, picture, strata=split)
    boot = stats.bootstrap_estimate(macro, (*parts, split), picture, seed=1)
    assert exact.mean_diff == pytest.approx(boot.value)
    assert exact.se == pytest.approx(boot.se, rel=0.06)
    assert exact.correlation > 0.2


def test_the_seed_decides() -> None:
    first, again, other = (
        stats.bootstrap_estimate(np.median, ERRORS, CLUSTER, seed=s, resamples=200) for s in (1, 1, 2)
    )
    assert first.ci_low == again.ci_low
    assert first.se == again.se
    assert first.se != other.se


def test_clusters_are_drawn_whole_and_pairs_stay_together() -> None:
    a = np.arange(200)

    def check(items: np.ndarray, same: np.ndarray) -> float:
        assert (items == same).all()
        assert (np.bincount(CLUSTER[items], minlength=50) % 4 == 0).all()
        return float(items.mean())

    assert stats.bootstrap_estimate(check, (a, a), CLUSTER, seed=3, resamples=100).n_clusters == 50


def test_resamples_without_a_value_are_left_out_and_counted() -> None:
    wanted = np.zeros(12)
    wanted[:2] = 1

    def among_wanted(scores: np.ndarray, mask: np.ndarray) -> float:
        return float(scores[mask == 1].mean()) if mask.any() else math.nan

    result = stats.bootstrap_estimate(among_wanted, (np.arange(12.0), wanted), seed=4)
    assert "of 2000 resamples had no defined value" in result.note
    assert math.isfinite(result.ci_low)


def test_items_with_nan_are_left_out() -> None:
    texts = np.array(["a cat", "a dog", "", "a cow"])
    result = stats.bootstrap_estimate(
        lambda t, s: float(s.mean()), (texts, np.array([1, 0, math.nan, 1])), seed=5, resamples=100
    )
    assert (result.n, result.value) == (3, pytest.approx(2 / 3))
