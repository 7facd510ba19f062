"""What cannot be known is NaN with a reason; what can be known is not."""

import dataclasses
import math
import subprocess
import sys
import time

import numpy as np
import pytest

import stats

NAN = math.nan


def test_unscored_items_are_left_out_and_never_zero() -> None:
    with_gaps = stats.mean_estimate([0.2, NAN, 0.8, None, 0.5], ["x", "lost", "y", None, "z"])
    assert with_gaps == stats.mean_estimate([0.2, 0.8, 0.5], ["x", "y", "z"])
    assert (with_gaps.value, with_gaps.n, with_gaps.n_clusters) == (0.5, 3, 3)


def test_pairs_scored_on_one_side_only_are_left_out() -> None:
    gaps = stats.paired_difference([1, 0, NAN, 1], [0, 0, 1, NAN], ["p", "q", "r", "s"])
    assert gaps == stats.paired_difference([1, 0], [0, 0], ["p", "q"])
    assert gaps.n == 2


@pytest.mark.parametrize(
    ("scores", "clusters", "value", "reason"),
    [
        ([], None, NAN, "no scored item"),
        ([NAN, NAN], ["a", "b"], NAN, "no scored item"),
        ([0.7], None, 0.7, "one item only"),
        ([0.5, 1.0], ["a", "a"], 0.75, "one cluster"),
        ([1, 1, 1], ["a", "a", "a"], 1.0, "one cluster"),
    ],
)
def test_too_little_for_a_standard_error(
    scores: list[float], clusters: list[str] | None, value: float, reason: str
) -> None:
    for result in (
        stats.mean_estimate(scores, clusters),
        stats.bootstrap_estimate(np.mean, np.array(scores, dtype=float), clusters, seed=1, resamples=100),
    ):
        assert result.value == pytest.approx(value, nan_ok=True)
        assert all(math.isnan(x) for x in (result.se, result.ci_low, result.ci_high, result.df))
        assert reason in result.note
    paired = stats.paired_difference(scores, np.zeros(len(scores)), clusters)
    assert paired.mean_diff == pytest.approx(value, nan_ok=True)
    assert all(math.isnan(x) for x in (paired.se, paired.ci_low, paired.p_value, paired.p_mcnemar)) or (
        clusters is None and paired.n == 1  # McNemar's test counts pairs and needs no variance
    )
    assert paired.note


@pytest.mark.parametrize("value", [0, 1])
def test_all_right_or_all_wrong_still_has_an_honest_interval(value: int) -> None:
    alone = stats.mean_estimate([value] * 40)
    assert (alone.value, alone.se) == (value, 0)
    assert alone.ci_high - alone.ci_low == pytest.approx(1.959964**2 / (40 + 1.959964**2), rel=1e-5)
    # Forty answers on four pictures tell what four tell: the design effect has nothing to be estimated from.
    clustered = stats.mean_estimate([value] * 40, np.repeat(range(4), 10))
    assert math.isnan(clustered.design_effect)
    assert "design effect is unknown" in clustered.note
    assert clustered.ci_high - clustered.ci_low > 0.5
    assert 0 <= clustered.ci_low <= value <= clustered.ci_high <= 1


def test_one_wrong_answer_in_few_clusters_does_not_pass_for_hundreds_of_independent_ones() -> None:
    """As estimated the design effect is 1: nothing says that the next cluster is not wrong as a whole."""
    scores, cluster = np.ones(400), np.repeat(range(8), 50)
    scores[0] = 0
    result = stats.mean_estimate(scores, cluster)
    assert result.design_effect == pytest.approx(1)
    assert 0.8 < result.ci_low < 0.9  # 0.98 if it counted 400
    mirrored = stats.mean_estimate(1 - scores, cluster)
    assert (mirrored.ci_low, mirrored.ci_high) == (pytest.approx(1 - result.ci_high), pytest.approx(1 - result.ci_low))
    # With one item a cluster there is nothing to be cautious about.
    alone, each = stats.mean_estimate(scores), stats.mean_estimate(scores, range(400))
    assert each.ci_low == pytest.approx(alone.ci_low, abs=2e-4)


def test_negative_correlation_makes_the_error_smaller_than_naive() -> None:
    rng = np.random.default_rng(0)
    yes_bias = np.repeat(rng.random(60) < 0.9, 2)  # always "yes": one of each yes/no pair is right
    scores = np.where(yes_bias, np.tile([1, 0], 60), 1)
    result = stats.mean_estimate(scores, np.repeat(range(60), 2))
    assert result.icc < -0.3
    assert result.design_effect < 0.7
    assert result.effective_n > result.n


def test_pairs_that_cancel_exactly_have_no_variance_but_a_width() -> None:
    result = stats.mean_estimate([0, 1, 0, 1], ["a", "a", "b", "b"])
    assert (result.icc, result.se, result.design_effect) == (-1, 0, 0)
    assert result.ci_low < 0.01
    assert result.ci_high > 0.99


def test_equal_scores_have_no_rounding_noise_for_variance() -> None:
    result = stats.mean_estimate([0.1] * 1_000)
    assert result.se == 0
    assert "no variation" in result.note


def test_identical_models_do_not_differ() -> None:
    scores = np.random.default_rng(1).random(50)
    result = stats.paired_difference(scores, scores, margin=0.02)
    assert (result.mean_diff, result.se, result.t, result.p_value) == (0, 0, 0, 1)
    assert result.p_noninferior == pytest.approx(0.98**50)  # chance to miss 2 % of items in 50
    # The interval ends where that chance is 2.5 %, and is not [0, 0]: fifty equal answers are no certainty.
    assert (result.ci_low, result.ci_high) == (-result.ci_high, pytest.approx(1 - 0.025 ** (1 / 50)))
    edge = stats.paired_difference(scores, scores, margin=result.ci_high)
    assert edge.p_noninferior == pytest.approx(0.025)
    assert result.p_equivalent == result.p_noninferior
    assert result.variance_reduction == 1
    assert "no cluster differs; up to 7.11% of clusters could still be others" in result.note
    assert stats.paired_difference([1, 0, 1], [1, 0, 1]).p_mcnemar == 1


def test_differences_that_cancel_in_every_cluster_are_no_difference() -> None:
    """Sums in another order differ by rounding, which must not become an infinite t."""
    a, b = np.tile([0.1, 0.3, 0.7], 20), np.tile([0.7, 0.1, 0.3], 20)
    result = stats.paired_difference(a, b + 1e-17, np.repeat(range(20), 3))
    assert (result.mean_diff, result.t, result.p_value) == (0, 0, 1)


def test_identical_ratios_do_not_differ_and_say_why_a_margin_is_not_tested() -> None:
    errors, words = [1, 0, 3, 2], [5, 4, 9, 8]
    result = stats.paired_ratio_difference(errors, words, errors, words, margin=0.1)
    assert (result.mean_diff, result.p_value) == (0, 1)
    assert math.isnan(result.ci_low + result.ci_high)
    assert math.isnan(result.p_noninferior)
    assert "margin is tested only for means" in result.note
    assert "and by how much is not known: there is no interval" in result.note


def test_a_constant_difference_is_not_certainty() -> None:
    """0.1 more on each of five items: t is infinite, the sign-flip test says 2 in 32."""
    b = np.array([0.1, 0.3, 0.5, 0.2, 0.7])
    result = stats.paired_difference(b + 0.1, b, margin=0.05)
    assert (result.se, result.t) == (0, math.inf)
    assert result.p_value == 2 / 32
    assert (result.p_noninferior, result.p_equivalent) == (1 / 32, 1)
    assert "sign-flip" in result.note
    # All right against all wrong, six times: the interval leaves 0 where the sign-flip test does.
    five, six = (stats.paired_difference([1] * n, [0] * n) for n in (5, 6))
    assert (five.p_value > 0.05, five.ci_low < 0, five.ci_high) == (True, True, pytest.approx(1))
    assert (six.p_value < 0.05, six.ci_low > 0) == (True, True)


def test_margin_is_needed_for_noninferiority() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.random((2, 400))
    result = stats.paired_difference(a, b)
    assert math.isnan(result.p_noninferior)
    assert math.isnan(result.p_equivalent)
    close = stats.paired_difference(b - 0.01, b + rng.normal(0, 0.01, 400), margin=0.05)
    assert close.p_value < 0.001  # worse beyond doubt,
    assert close.p_equivalent < 0.001  # and beyond doubt not by much


def test_mcnemar_is_for_independent_zero_one_scores_only() -> None:
    a, b = [1, 1, 0, 1, 1, 1], [0, 1, 0, 0, 1, 0]
    assert stats.paired_difference(a, b).p_mcnemar == 0.125
    assert stats.paired_difference(a, b, range(6)).p_mcnemar == 0.125
    assert math.isnan(stats.paired_difference(a, b, [1, 1, 2, 2, 3, 3]).p_mcnemar)
    assert math.isnan(stats.paired_difference([0.5, *a[1:]], b).p_mcnemar)


def test_ratio_without_a_denominator_is_undefined() -> None:
    result = stats.ratio_estimate([0, 0, 0], [0, 0, 0])
    assert math.isnan(result.value)
    assert math.isnan(result.ci_low)
    assert "nothing to divide by" in result.note
    assert math.isnan(stats.paired_ratio_difference([0, 0], [0, 0], [1, 1], [1, 2]).mean_diff)
    held = stats.ratio_estimate([1, 0, 0], [2, 0, 0])
    assert held.value == 0.5
    assert math.isnan(held.se)
    assert "in one cluster" in held.note


def test_an_empty_stratum_is_named_and_a_single_cluster_in_one_is_refused() -> None:
    lost = stats.stratified_estimate([1, 0, NAN, NAN], ["cats", "cats", "dogs", "dogs"])
    assert math.isnan(lost.value)
    assert "dogs" in lost.note
    single = stats.stratified_estimate([1, 0, 1], ["cats", "cats", "dogs"])
    assert single.value == 0.75
    assert math.isnan(single.se)
    assert "one stratum" in single.note


def test_labels_may_be_any_hashable() -> None:
    scores = [0.1, 0.4, 0.8, 0.3, 0.9]
    results = [
        stats.mean_estimate(scores, labels)
        for labels in (
            ["a", "a", "b", "c", "c"],
            np.array([7, 7, 1, 3, 3]),
            np.array(["z", "z", "y", "x", "x"]),
            [("p", 1), ("p", 1), "q", 3.5, 3.5],
        )
    ]
    for other in results[1:]:
        assert dataclasses.astuple(other)[:5] == pytest.approx(dataclasses.astuple(results[0])[:5])


@pytest.mark.parametrize("missing", [None, NAN])
def test_items_without_a_cluster_id_are_their_own_clusters_and_the_note_says_so(missing: object) -> None:
    scores, labels = [1, 0, 0.5, 0.25, 1], ["a", "a", missing, "b", missing]
    alone = stats.mean_estimate(scores, ["a", "a", "x", "b", "y"])
    for given in (labels, np.array(labels, dtype=object)):
        result = stats.mean_estimate(scores, given)
        assert (result.se, result.df, result.n_clusters) == (alone.se, pytest.approx(alone.df), 4)
        assert "2 items have no cluster id and are clusters of their own" in result.note
    assert stats.mean_estimate(scores[:4], np.array([1, 1, NAN, 2])).n_clusters == 3
    for other in (
        stats.paired_difference(scores, np.zeros(5), labels),
        stats.bootstrap_estimate(np.mean, np.array(scores), labels, seed=1, resamples=100),
        stats.simultaneous_band({"p": scores, "q": np.zeros(5)}, labels, seed=1),
        stats.best_checkpoint({"p": scores, "q": np.zeros(5)}, labels, seed=1),
        stats.variance_components(scores, labels),
    ):
        assert other.n_clusters == 4
        assert "2 items have no cluster id" in other.note


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: stats.mean_estimate([1, 0], ["a"]), "one label per item"),
        (lambda: stats.stratified_estimate([1, 0], ["a", None]), "lacks a label"),
        (lambda: stats.stratified_estimate([1, 0], np.array([1.0, NAN])), "lacks a label"),
        (lambda: stats.mean_estimate([[1, 0]]), "shape"),
        (lambda: stats.mean_estimate([1, math.inf]), "NaN instead"),
        (lambda: stats.mean_estimate([1, 0], level=95), "0.95"),
        (lambda: stats.ratio_estimate([1, 1], [1, -1]), "denominators"),
        (lambda: stats.paired_difference([1, 0], [1]), "lengths"),
        (lambda: stats.paired_difference([1, 0], [1, 1], margin=-0.1), "margin"),
        (lambda: stats.stratified_estimate([1, 0], ["a", "b"], weights={"a": 1}), "weights"),
        (lambda: stats.paired_ratio_difference([1], [1], [1], [1], weights={"a": 1}), "stratum"),
        (lambda: stats.simultaneous_band(np.ones((3, 5)), seed=1), "a mapping, name to"),
        (lambda: stats.best_checkpoint([[1, 0], [0, 1]], seed=1), "a mapping, name to"),
        (lambda: stats.adjust_pvalues([0.5, 1.2]), "between 0 and 1"),
        (lambda: stats.adjust_pvalues([0.5], "bonferroni"), "holm"),
        (lambda: stats.bootstrap_estimate(np.mean, np.ones(3), seed=1, resamples=5), "resamples"),
        (lambda: stats.bootstrap_estimate(np.mean, (np.ones(3), np.ones(2)), seed=1), "lengths"),
    ],
)
def test_wrong_input_is_refused_with_what_to_do(call: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()  # type: ignore[operator]


def test_results_are_frozen_plain_numbers() -> None:
    result = stats.mean_estimate(np.array([0.0, 1.0, 1.0, 0.5]), [1, 1, 2, 2])
    assert all(type(x) in (int, float, str) for x in dataclasses.astuple(result))
    paired = stats.paired_difference(np.array([0.0, 1.0, 1.0]), np.zeros(3), margin=0.1)
    assert all(type(x) in (int, float, str) for x in dataclasses.astuple(paired))
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.value = 1.0  # type: ignore[misc]


def test_a_report_does_not_pay_for_heavy_imports() -> None:
    program = (
        "import sys, stats; stats.paired_difference([1, 0, 1], [0, 0, 1], margin=0.1);"
        "print([m for m in ('scipy.stats', 'statsmodels', 'pandas') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


def test_a_million_pairs_in_a_hundred_thousand_clusters_take_no_coffee_break() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.random((2, 1_000_000)) < 0.5
    cluster = rng.integers(0, 100_000, 1_000_000)
    start = time.process_time()  # of the CPU: the machine may be busy with something else
    result = stats.paired_difference(a, b, cluster)
    assert time.process_time() - start < 1  # 0.2 s
    assert result.n == 1_000_000
    assert result.se == pytest.approx(np.sqrt(0.5 / 1_000_000), rel=0.02)


def test_no_item_at_all_is_unknown_with_strata_too() -> None:
    macro = stats.stratified_estimate([], [])
    assert math.isnan(macro.value)
    assert "no scored item" in macro.note
    assert math.isnan(stats.paired_ratio_difference([], [], [], [], strata=[]).mean_diff)
