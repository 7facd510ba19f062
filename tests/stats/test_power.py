"""Plans: how many items, what can be seen, and the variances that both rest on."""

import math

import numpy as np
import pytest

import stats

NAN = math.nan


def test_the_worked_figures_of_the_formula() -> None:
    assert stats.sample_size(0.03, omega2=1 / 9) == 969
    noisy = {"omega2": 1 / 9, "var_a": 1 / 6, "var_b": 1 / 6}
    assert stats.sample_size(0.03, **noisy, k_a=10, k_b=10) == 1260
    assert stats.sample_size(0.03, **noisy) == 3876


def test_a_design_effect_multiplies_the_true_differences_and_not_the_noise() -> None:
    plain = stats.sample_size(0.02, omega2=0.1)
    assert stats.sample_size(0.02, omega2=0.1, icc=0.5, cluster_size=3) == pytest.approx(2 * plain, abs=1)
    unequal = stats.sample_size(0.02, omega2=0.1, icc=0.5, cluster_size=3, cluster_size_cv=1)
    assert unequal == pytest.approx(3.5 * plain, abs=3.5)
    noise = stats.sample_size(0.02, omega2=0, var_a=0.1)
    assert stats.sample_size(0.02, omega2=0, var_a=0.1, icc=0.5, cluster_size=3) == noise
    assert stats.sample_size(0.02, omega2=0.1, icc=-0.2, cluster_size=2) == pytest.approx(0.8 * plain, abs=1)


@pytest.mark.parametrize("n", [50, 1000, 123_456])
def test_the_two_are_each_others_inverse(n: int) -> None:
    plan = {"omega2": 0.08, "var_a": 0.1, "k_a": 3, "icc": 0.1, "cluster_size": 4, "cluster_size_cv": 0.7}
    effect = stats.minimum_detectable_effect(n, **plan)
    assert stats.sample_size(effect, **plan) == n
    assert stats.minimum_detectable_effect(4 * n, **plan) == pytest.approx(effect / 2)


def test_components_of_a_pair_and_the_plan_that_they_make() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 0.3, 4000)
    a = truth[:, None] + rng.normal(0, 0.5, (4000, 5))
    parts = stats.variance_components(a, baseline=rng.normal(0, 0.4, (4000, 2)))
    assert (parts.omega2, parts.var_a, parts.var_b) == pytest.approx((0.09, 0.25, 0.16), rel=0.15)
    assert (parts.k_a, parts.k_b, parts.n, parts.n_clusters) == (pytest.approx(5), pytest.approx(2), 4000, 4000)
    assert parts.total == pytest.approx(parts.omega2 + parts.var_a / 5 + parts.var_b / 2)
    assert math.isnan(parts.icc)  # nothing clusters
    plan = parts.planning()
    assert stats.minimum_detectable_effect(4000, **plan) == pytest.approx(
        2.8016 * math.sqrt(parts.total / 4000), rel=1e-4
    )
    # Twice the samples take away noise, and only that.
    assert stats.sample_size(0.02, **{**plan, "k_a": 10, "k_b": 4}) < stats.sample_size(0.02, **plan)


def test_one_sample_an_item_cannot_tell_noise_from_truth_and_can_still_be_planned_with() -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.random((2, 500)) < 0.6).astype(float)
    parts = stats.variance_components(a, baseline=b)
    assert all(math.isnan(x) for x in (parts.omega2, parts.var_a, parts.var_b, parts.icc))
    assert parts.total == pytest.approx((a - b).var(ddof=1))
    assert "one answer an item in scores and baseline" in parts.note
    plan = parts.planning()
    assert (plan["omega2"], plan["var_a"], plan["var_b"]) == (parts.total, 0, 0)
    half = stats.variance_components(np.column_stack([a, a, b]), baseline=b)
    assert not math.isnan(half.var_a)
    assert math.isnan(half.omega2)


def test_the_correlation_is_that_of_the_true_scores() -> None:
    """Noise dilutes the observed one: 0.5 is seen as 0.25 here."""
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(3000), 4)
    truth = rng.normal(size=3000)[cluster] + rng.normal(size=12000)
    samples = truth[:, None] + rng.normal(0, 2, (12000, 2))
    parts = stats.variance_components(samples, cluster)
    assert parts.icc == pytest.approx(0.5, abs=0.05)
    assert stats.mean_estimate(samples.mean(axis=1), cluster).icc == pytest.approx(0.25, abs=0.03)
    assert (parts.cluster_size, parts.cluster_size_cv) == (4, 0)


def test_negative_estimates_are_kept_and_planned_with_as_nothing() -> None:
    alternating = np.tile([[1.0, 0.0], [0.0, 1.0]], (20, 1))  # every item's mean is a half
    parts = stats.variance_components(alternating)
    assert parts.omega2 == pytest.approx(-0.25)
    assert "negative" in parts.note
    assert parts.planning()["omega2"] == 0
    yes_bias = stats.variance_components(np.tile([1.0, 0.0], 30), np.repeat(np.arange(30), 2))
    assert yes_bias.icc == pytest.approx(-1)
    assert yes_bias.planning()["icc"] == pytest.approx(-1)
    unequal = stats.variance_components([1, 0, 1, 0, 1, 0, 0.5, 0.4], ["a"] * 2 + ["b"] * 2 + ["c"] * 2 + ["d", "e"])
    stats.sample_size(0.1, **unequal.planning())


@pytest.mark.parametrize(
    ("scores", "clusters", "reason"),
    [
        ([], None, "no item"),
        ([NAN, NAN], None, "no item"),
        ([0.5], None, "one item only"),
        ([[0.5, 1], [0, 1]], ["a", "a"], "one cluster"),
    ],
)
def test_too_little_is_unknown_and_not_zero(scores: list, clusters: list | None, reason: str) -> None:
    parts = stats.variance_components(scores, clusters)
    assert all(math.isnan(x) for x in (parts.omega2, parts.total, parts.icc))
    assert reason in parts.note
    with pytest.raises(ValueError, match=reason):
        parts.planning()


def test_equal_scores_have_no_variance_and_no_plan() -> None:
    parts = stats.variance_components(np.full((30, 3), 0.1), np.repeat(np.arange(10), 3))
    assert (parts.omega2, parts.var_a, parts.total) == (pytest.approx(0, abs=1e-30), 0, pytest.approx(0, abs=1e-30))
    with pytest.raises(ValueError, match="nothing varies"):
        stats.sample_size(0.02, omega2=0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: stats.sample_size(0, omega2=0.1), "above 0"),
        (lambda: stats.sample_size(-0.02, omega2=0.1), "above 0"),
        (lambda: stats.sample_size(0.02, omega2=-0.1), "planning"),
        (lambda: stats.sample_size(0.02, omega2=NAN), "planning"),
        (lambda: stats.sample_size(0.02, omega2=0.1, k_a=0), "k_a"),
        (lambda: stats.sample_size(0.02, omega2=0.1, cluster_size=0.5), "cluster_size"),
        (lambda: stats.sample_size(0.02, omega2=0.1, icc=2), "icc"),
        (lambda: stats.sample_size(0.02, omega2=0.1, icc=-0.5, cluster_size=10), "impossible"),
        (lambda: stats.sample_size(0.02, omega2=0.1, alpha=5), "0.05"),
        (lambda: stats.sample_size(0.02, omega2=0.1, power=80), "0.8"),
        (lambda: stats.minimum_detectable_effect(0, omega2=0.1), "number of items"),
        (lambda: stats.variance_components([1, 0], baseline=[1]), "numbers of items"),
        (lambda: stats.variance_components(np.zeros((2, 2, 2))), "one row per item"),
        (lambda: stats.variance_components([1, math.inf]), "NaN instead"),
    ],
)
def test_wrong_input_is_refused_with_what_to_do(call: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()  # type: ignore[operator]
