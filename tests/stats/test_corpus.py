"""Metrics of a whole corpus: statistics of sums."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stats import (
    corpus_estimate,
    mean_estimate,
    paired_corpus_difference,
    paired_ratio_difference,
    pseudo_values,
    ratio_estimate,
    stratified_estimate,
)


def ratio(sums) -> float:
    return sums[0] / sums[1]


def macro_f1(sums) -> float:
    tp, fp, fn, tn = sums
    return (2 * tp / (2 * tp + fp + fn) + 2 * tn / (2 * tn + fp + fn)) / 2


def words(seed: int, n: int = 400, size: int = 4):
    """Errors and words of n transcripts, in clusters of `size` speakers who share their difficulty."""
    rng = np.random.default_rng(seed)
    clusters = np.arange(n) // size
    length = rng.integers(3, 30, n).astype(float)
    rate = np.repeat(rng.beta(2, 8, n // size), size)
    return np.column_stack([rng.binomial(length.astype(int), rate).astype(float), length]), clusters


def test_a_ratio_of_sums_has_the_value_and_nearly_the_error_of_its_own_estimator():
    rows, clusters = words(1)
    for labels in (None, clusters):
        found, known = corpus_estimate(rows, ratio, labels, seed=3), ratio_estimate(*rows.T, labels)
        assert found.value == pytest.approx(known.value, abs=1e-12)
        assert found.se == pytest.approx(known.se, rel=0.06)
        assert (found.n, found.n_clusters) == (known.n, known.n_clusters)
        assert found.ci_low < found.value < found.ci_high
        assert found.ci_high - found.ci_low == pytest.approx(known.ci_high - known.ci_low, rel=0.08)
    # Speakers differ, so that leaving them out would claim too much.
    assert corpus_estimate(rows, ratio, clusters).se > 1.15 * corpus_estimate(rows, ratio).se


def test_strata_are_averaged_and_items_without_statistics_left_out():
    rows, clusters = words(2)
    rows[:40] = np.nan
    strata = np.array(["clean", "other"])[(np.arange(400) % 3 == 0).astype(int)]
    found = corpus_estimate(rows, ratio, clusters, strata=strata)
    known = stratified_estimate(rows[:, 0], strata, clusters, denominator=rows[:, 1])
    assert found.value == pytest.approx(known.value, abs=1e-12)
    assert found.se == pytest.approx(known.se, rel=0.08)
    assert (found.n, found.n_clusters) == (360, 90)
    assert "2 strata" in found.method


def test_the_same_seed_gives_the_same_interval_and_one_cluster_gives_none():
    rows, clusters = words(3)
    assert corpus_estimate(rows, ratio, clusters, seed=5) == corpus_estimate(rows, ratio, clusters, seed=5)
    assert corpus_estimate(rows, ratio, clusters, seed=5).se != corpus_estimate(rows, ratio, clusters, seed=6).se
    alone = corpus_estimate(rows, ratio, np.zeros(400))
    assert alone.value == pytest.approx(ratio(rows.sum(axis=0)))
    assert math.isnan(alone.se)
    assert "one cluster" in alone.note


def test_pairs_are_resampled_together():
    rows, clusters = words(4)
    rng = np.random.default_rng(5)
    better = rows.copy()
    better[:, 0] = rng.binomial(rows[:, 0].astype(int), 0.9)
    found = paired_corpus_difference(rows, better, ratio, clusters, seed=1, margin=0.05)
    known = paired_ratio_difference(*rows.T, *better.T, clusters, margin=0.05)
    assert found.mean_diff == pytest.approx(known.mean_diff, abs=1e-12)
    assert found.se == pytest.approx(known.se, rel=0.08)
    assert found.correlation == pytest.approx(known.correlation, abs=0.05)
    assert found.variance_reduction == pytest.approx(known.variance_reduction, abs=0.05)
    assert found.variance_reduction > 0.9
    assert found.p_noninferior < 0.001
    assert (found.ci_low > 0) == (found.p_value < 0.05)


def test_equal_models_do_not_differ_and_items_lost_by_one_side_are_no_pairs():
    rows, clusters = words(6)
    same = paired_corpus_difference(rows, rows, ratio, clusters)
    assert (same.mean_diff, same.se, same.p_value) == (0.0, 0.0, 1.0)
    lost = rows.copy()
    lost[:8] = np.nan
    found = paired_corpus_difference(rows, lost, ratio, clusters)
    assert (found.mean_diff, found.n, found.n_clusters) == (0.0, 392, 98)
    with pytest.raises(ValueError, match="same statistics of the same items"):
        paired_corpus_difference(rows, rows[:, :1], ratio)


@pytest.mark.parametrize("clustered", [False, True])
def test_pseudo_values_stand_for_the_items(clustered):
    """Their mean is the statistic, and their spread that of the bootstrap."""
    rng = np.random.default_rng(7)
    yes = rng.random(600) < 0.5
    said = np.where(rng.random(600) < 0.8, yes, ~yes)
    rows = np.column_stack([yes & said, ~yes & said, yes & ~said, ~yes & ~said]).astype(float)
    rows[:5] = np.nan
    clusters = np.arange(600) // 6 if clustered else None
    values, known = pseudo_values(rows, macro_f1), corpus_estimate(rows, macro_f1, clusters)
    assert np.isnan(values[:5]).all()
    found = mean_estimate(values, clusters)
    assert found.value == pytest.approx(known.value, abs=1e-9)
    assert found.se == pytest.approx(known.se, rel=0.08)


def test_intervals_of_macro_f1_cover_as_often_as_they_say():
    """100 samples of 30 clusters with their own difficulty; 95 % intervals, in 4 standard errors of 95 %."""
    rng = np.random.default_rng(8)

    def sample(groups: int):
        skill = np.repeat(rng.beta(6, 2, groups), 5)
        yes = rng.random(5 * groups) < 0.3
        said = np.where(rng.random(5 * groups) < skill, yes, ~yes)
        return np.column_stack([yes & said, ~yes & said, yes & ~said, ~yes & ~said]).astype(float)

    truth = macro_f1(sample(200_000).sum(axis=0))
    labels, hits = np.arange(150) // 5, 0
    for trial in range(100):
        found = corpus_estimate(sample(30), macro_f1, labels, seed=trial, resamples=200)
        hits += found.ci_low <= truth <= found.ci_high
    assert abs(hits / 100 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 100)
