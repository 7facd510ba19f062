"""A 5 % test rejects 5 %, a 95 % interval covers 95 %: many clusters, few clusters, unequal clusters."""

import numpy as np
import pytest
from scipy.special import ndtri

import stats

REPEATS = 1500
# Two Monte Carlo standard errors at 5 %.
NOISE = 2 * np.sqrt(0.05 * 0.95 / REPEATS)


def lognormal_sizes(clusters: int, smallest: int, largest: int) -> np.ndarray:
    z = ndtri((np.arange(clusters) + 0.5) / clusters)
    z = (z - z[0]) / (z[-1] - z[0])
    return np.round(smallest * (largest / smallest) ** z).astype(int)


DESIGNS = {
    "300x3": (np.full(300, 3), 0.3, 0.10),
    "100x10": (np.full(100, 10), 0.3, 0.27),
    "20x30": (np.full(20, 30), 0.2, 0.40),
    "8x50": (np.full(8, 50), 0.2, 0.50),
    "40 unequal": (lognormal_sizes(40, 2, 120), 0.2, 0.45),
    "12 unequal": (lognormal_sizes(12, 3, 100), 0.2, 0.45),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_false_positives_of_the_paired_test(name: str) -> None:
    sizes, icc, naive_at_least = DESIGNS[name]
    rng = np.random.default_rng(20)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    clustered, naive = 0, 0
    for _ in range(REPEATS):
        shared = rng.normal(0, np.sqrt(icc), len(sizes))[cluster]
        b = rng.normal(size=len(cluster))
        a = b + shared + rng.normal(0, np.sqrt(1 - icc), len(cluster))
        clustered += stats.paired_difference(a, b, cluster).p_value < 0.05
        naive += stats.paired_difference(a, b).p_value < 0.05
    assert clustered / REPEATS <= 0.06 + NOISE
    if "unequal" not in name:
        assert clustered / REPEATS >= 0.04 - NOISE
    assert naive / REPEATS > naive_at_least  # the data do need it


@pytest.mark.parametrize("name", DESIGNS)
def test_coverage_of_the_mean_of_right_and_wrong_answers(name: str) -> None:
    sizes, icc, _ = DESIGNS[name]
    rng = np.random.default_rng(21)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    strength = (1 - icc) / icc
    covered = 0
    for _ in range(REPEATS):
        chance = rng.beta(0.6 * strength, 0.4 * strength, len(sizes))[cluster]
        result = stats.mean_estimate(rng.random(len(cluster)) < chance, cluster)
        covered += result.ci_low <= 0.6 <= result.ci_high
    # With unequal clusters a skewed score costs a point more than the normal ones of the test above.
    assert (0.925 if "unequal" in name else 0.94) - NOISE <= covered / REPEATS <= 0.97 + NOISE


@pytest.mark.parametrize(("clusters", "size", "icc"), [(8, 50, 0.2), (20, 30, 0.2), (20, 30, 0.6), (100, 10, 0.6)])
def test_coverage_of_rare_errors_in_few_clusters(clusters: int, size: int, icc: float) -> None:
    """98 % right: most clusters are right as a whole, and the few others say little of how alike their items are."""
    rng, strength, repeats, covered = np.random.default_rng(29), (1 - icc) / icc, 600, 0
    cluster = np.repeat(np.arange(clusters), size)
    for _ in range(repeats):
        chance = rng.beta(0.98 * strength, 0.02 * strength, clusters)[cluster]
        result = stats.mean_estimate(rng.random(len(cluster)) < chance, cluster)
        covered += result.ci_low <= 0.98 <= result.ci_high
    assert covered / repeats >= 0.94 - 2 * np.sqrt(0.06 * 0.94 / repeats)  # 0.87 to 0.9 with the design effect alone


def test_coverage_of_wilson_for_rare_errors_of_independent_items() -> None:
    rng = np.random.default_rng(22)
    results = [stats.mean_estimate(rng.random(80) < 0.97) for _ in range(REPEATS)]
    assert np.mean([r.ci_low <= 0.97 <= r.ci_high for r in results]) >= 0.93 - NOISE


def test_coverage_of_a_macro_ratio_over_strata_that_share_clusters() -> None:
    """Three splits over the same 40 pictures; as if independent the interval covers far too rarely."""
    rng = np.random.default_rng(23)
    picture, split = np.tile(np.repeat(np.arange(40), 3), 3), np.repeat(["r", "p", "a"], 120)
    right = alone = 0
    for _ in range(REPEATS):
        length = rng.integers(1, 6, 360)
        rate = rng.beta(6, 4, 40)[picture]
        hits = rng.binomial(length, rate)
        for labels in (picture, None):
            result = stats.stratified_estimate(hits, split, labels, denominator=length)
            inside = result.ci_low <= 0.6 <= result.ci_high
            right, alone = (right + inside, alone) if labels is not None else (right, alone + inside)
    assert 0.94 - NOISE <= right / REPEATS <= 0.96 + NOISE
    assert alone / REPEATS < 0.8


def test_coverage_of_the_cluster_bootstrap_with_few_clusters() -> None:
    rng = np.random.default_rng(24)
    cluster, repeats, covered = np.repeat(np.arange(10), 8), 300, 0
    for seed in range(repeats):
        scores = rng.normal(0, 0.7, 10)[cluster] + rng.normal(size=80)
        result = stats.bootstrap_estimate(np.mean, scores, cluster, seed=seed, resamples=400)
        covered += result.ci_low <= 0 <= result.ci_high
    assert covered / repeats >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / repeats)


def checkpoints(rng: np.random.Generator, cluster: np.ndarray, number: int) -> dict[int, np.ndarray]:
    """Equally good ones: 0/1 scores, 70 % right, each answering much as the one before it."""
    scores, latent = {}, rng.normal(size=len(cluster))
    for step in range(number):
        shared = rng.normal(0, np.sqrt(0.2), cluster.max() + 1)[cluster]
        latent = 0.8 * latent + 0.6 * (shared + rng.normal(0, np.sqrt(0.8), len(cluster)))
        scores[step] = (latent < ndtri(0.7)).astype(float)
    return scores


@pytest.mark.parametrize("sizes", [np.full(20, 10), np.full(8, 20), lognormal_sizes(20, 2, 60)], ids=str)
def test_family_wise_error_of_the_band_and_of_the_best_over_20_checkpoints(sizes: np.ndarray) -> None:
    rng, repeats = np.random.default_rng(25), 120
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    pointwise = outside = kept_out = covered = 0
    excess = []
    for seed in range(repeats):
        scores = checkpoints(rng, cluster, 20)
        band = stats.simultaneous_band(scores, cluster, seed=seed, resamples=1000)
        outside += any(not p.band_low <= 0 <= p.band_high for p in band.points)
        pointwise += any(p.p_value < 0.05 for p in band.points)
        best = stats.best_checkpoint(scores, cluster, seed=seed, resamples=1000)
        kept_out += 7 not in best.candidates
        covered += best.ci_low <= 0.7 <= best.ci_high
        excess.append((best.value - 0.7, best.corrected - 0.7))
    noise = 2 * np.sqrt(0.07 * 0.93 / repeats)
    assert outside / repeats <= 0.07 + noise
    assert pointwise / repeats > 0.25  # the data do need it
    assert kept_out / repeats <= 0.06 + noise
    assert covered / repeats >= 0.93 - noise
    naive, corrected = np.mean(excess, axis=0)
    assert naive > 0.04
    assert abs(corrected) < naive / 4


def test_power_is_what_was_asked_for() -> None:
    rng, repeats = np.random.default_rng(26), 600
    plan = {"omega2": 0.04, "var_a": 0.1, "var_b": 0.05, "k_a": 2, "k_b": 1, "icc": 0.2, "cluster_size": 5}
    cluster = np.repeat(np.arange(-(-stats.sample_size(0.03, **plan) // 5)), 5)
    seen = 0
    for _ in range(repeats):
        shared = rng.normal(0, np.sqrt(0.2 * 0.04), cluster.max() + 1)[cluster]
        truth = 0.03 + shared + rng.normal(0, np.sqrt(0.8 * 0.04), len(cluster))
        a, b = rng.normal(0, np.sqrt(0.05), (2, len(cluster)))
        seen += stats.paired_difference(truth + a, b, cluster).p_value < 0.05
    assert seen / repeats == pytest.approx(0.8, abs=2.5 * np.sqrt(0.16 / repeats))


def test_variance_components_find_the_truth() -> None:
    """Clusters of unequal size, noise within items, and samples that differ in number."""
    rng, found = np.random.default_rng(27), []
    cluster = np.repeat(np.arange(60), lognormal_sizes(60, 2, 20))
    for _ in range(200):
        shared = rng.normal(0, np.sqrt(0.3 * 0.09), 60)[cluster]
        truth = shared + rng.normal(0, np.sqrt(0.7 * 0.09), len(cluster))
        a = truth[:, None] + rng.normal(0, np.sqrt(0.2), (len(cluster), 4))
        a[rng.random(a.shape) < 0.1] = np.nan
        b = rng.normal(0, np.sqrt(0.1), (len(cluster), 2))
        parts = stats.variance_components(a, cluster, baseline=b)
        found.append((parts.omega2, parts.var_a, parts.var_b, parts.icc))
    assert np.mean(found, axis=0) == pytest.approx([0.09, 0.2, 0.1, 0.3], rel=0.05)


def test_coverage_of_internal_and_between_variance() -> None:
    rng, repeats, covered = np.random.default_rng(28), 120, np.zeros(2)
    cluster = np.repeat(np.arange(50), 6)
    for seed in range(repeats):
        right = rng.beta(1, 1, 50)[cluster][:, None]
        result = stats.stability(rng.random((300, 4)) < right, clusters=cluster, seed=seed, resamples=300)
        covered += [
            result.iv.ci_low <= 1 / 6 <= result.iv.ci_high,
            result.between_variance.ci_low <= 1 / 12 <= result.between_variance.ci_high,
        ]
    assert (covered / repeats >= 0.92 - 2 * np.sqrt(0.08 * 0.92 / repeats)).all()


@pytest.mark.parametrize(("items", "positive", "right"), [(8, 0.5, 0.7), (40, 0.5, 0.97), (200, 0.1, 0.9)])
def test_coverage_of_f1_and_precision_stays_inside_of_the_scale(items: int, positive: float, right: float) -> None:
    """By t an interval of precision on 40 items at 0.97 covers 45 %, and most of them leave [0, 1]."""
    rng, repeats = np.random.default_rng(30), 800
    hits = positive * right
    false_alarms, misses = (1 - positive) * (1 - right), positive * (1 - right)
    truths = {"precision": hits / (hits + false_alarms), "f1": 2 * hits / (2 * hits + false_alarms + misses)}
    covered = dict.fromkeys(truths, 0)
    known = dict.fromkeys(truths, 0)
    for _ in range(repeats):
        gold, correct = rng.random(items) < positive, rng.random(items) < right
        said = gold == correct
        tp, fp, fn = ((side).astype(float) for side in (said & gold, said & ~gold, ~said & gold))
        for name, parts in {"precision": (tp, tp + fp), "f1": (2 * tp, 2 * tp + fp + fn)}.items():
            result = stats.ratio_estimate(*parts)
            if np.isnan(result.ci_low):  # all of the denominator in one item, or none
                continue
            assert 0 <= result.ci_low < result.ci_high <= 1
            known[name] += 1
            covered[name] += result.ci_low <= truths[name] <= result.ci_high
    for name, count in covered.items():
        assert count / known[name] >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / repeats), name
