"""The delete-a-group jackknife, against what is known of means and of samples."""

from __future__ import annotations

import numpy as np
import pytest

from stats import jackknife_difference, jackknife_estimate, jackknife_groups, mean_estimate, paired_difference


def replicates(values, groups):
    return [float(np.delete(values, rows).mean()) for rows in groups]


def test_of_a_mean_of_independent_items_it_is_the_usual_standard_error():
    values = np.random.default_rng(1).normal(size=40)
    groups = jackknife_groups(40)
    assert sorted(i for rows in groups for i in rows) == list(range(40))
    found = jackknife_estimate(float(values.mean()), replicates(values, groups), len(groups), n=40, n_clusters=40)
    usual = mean_estimate(values)
    assert found.se == pytest.approx(usual.se, rel=1e-9)
    assert (found.ci_low, found.ci_high) == pytest.approx((usual.ci_low, usual.ci_high))


def test_clusters_are_left_out_whole():
    clusters = [i // 3 for i in range(60)]
    for rows in jackknife_groups(60, clusters, groups=7):
        left = {clusters[i] for i in rows}
        assert len(rows) == 3 * len(left)


def test_a_pair_gains_what_the_two_have_in_common():
    rng = np.random.default_rng(2)
    shared = rng.normal(size=50)
    a, b = shared + 0.3 + rng.normal(0, 0.2, 50), shared + rng.normal(0, 0.2, 50)
    groups = jackknife_groups(50)
    found = jackknife_difference(
        (float(a.mean()), float(b.mean())), (replicates(a, groups), replicates(b, groups)), len(groups),
        n=50, n_clusters=50, margin=0.1,
    )  # fmt: skip
    usual = paired_difference(a, b, margin=0.1)
    assert found.se == pytest.approx(usual.se, rel=1e-9)
    assert found.p_value == pytest.approx(usual.p_value, rel=1e-6)
    assert found.p_noninferior == pytest.approx(usual.p_noninferior, rel=1e-6)
    assert found.correlation == pytest.approx(usual.correlation, rel=1e-6)


def test_the_interval_covers_a_ratio_about_as_often_as_it_says():
    rng, hits = np.random.default_rng(3), 0
    for _ in range(400):
        effects = rng.normal(size=30).repeat(4)
        top, bottom = 2 + effects + rng.normal(size=120), 4 + rng.normal(size=120)
        clusters = np.arange(30).repeat(4)
        groups = jackknife_groups(120, clusters)
        of = [float(np.delete(top, g).sum() / np.delete(bottom, g).sum()) for g in groups]
        found = jackknife_estimate(float(top.sum() / bottom.sum()), of, len(groups), n=120, n_clusters=30)
        hits += found.ci_low <= 0.5 <= found.ci_high
    assert 0.92 <= hits / 400 <= 0.98


def test_some_groups_stand_for_all_and_too_few_for_none():
    values = np.random.default_rng(4).normal(size=80)
    groups = jackknife_groups(80)
    of, value = replicates(values, groups), float(values.mean())
    whole = jackknife_estimate(value, of, 80, n=80, n_clusters=80)
    some = jackknife_estimate(value, of[:40], 80, n=80, n_clusters=80)
    assert some.se == pytest.approx(whole.se, rel=0.3)
    assert some.df == 39
    few = jackknife_estimate(value, of[:3], 80, n=80, n_clusters=80)
    assert np.isnan([few.se, few.ci_low]).all()
    assert few.value == value
    assert "3 of 80" in few.note
    gone = jackknife_estimate(value, [float("nan"), *of[1:]], 80, n=80, n_clusters=80)
    assert np.isnan(gone.ci_low)
    assert np.isnan(jackknife_estimate(float("nan"), [], 0, n=0, n_clusters=0).value)
