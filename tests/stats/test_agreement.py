"""The same numbers as statsmodels and scipy wherever they have the estimator, to 1e-10."""

import numpy as np
import pytest
import scipy.stats as ss
import statsmodels.api as sm
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import normal_sample_size_one_tail
from statsmodels.stats.proportion import proportion_confint

import stats
from stats.arrays import cluster_codes
from stats.influence import cr1, linearise


def close(value: float) -> object:
    return pytest.approx(value, rel=1e-10, abs=1e-14)


def unequal(seed: int, groups: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """Scores and clusters of 1 to 20 items with a shared part."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(groups), rng.integers(1, 21, groups))
    return rng.normal(size=groups)[cluster] + rng.normal(size=len(cluster)), cluster


def codes(cluster: np.ndarray) -> tuple[np.ndarray, int]:
    return cluster_codes(cluster, np.ones(len(cluster), dtype=bool))[:2]


def test_mean_of_independent_items_is_the_textbook_t_interval() -> None:
    scores = np.random.default_rng(1).normal(0.3, 1, 37)
    result = stats.mean_estimate(scores, level=0.9)
    low, high = ss.t.interval(0.9, 36, scores.mean(), ss.sem(scores))
    assert (result.value, result.se, result.df) == (close(scores.mean()), close(ss.sem(scores)), close(36))
    assert (result.ci_low, result.ci_high) == (close(low), close(high))
    assert (result.design_effect, result.effective_n, result.mean) == (1, 37, result.value)


@pytest.mark.parametrize("seed", range(3))
def test_cr1_is_statsmodels_cluster_covariance(seed: int) -> None:
    scores, cluster = unequal(seed)
    fit = sm.OLS(scores, np.ones_like(scores)).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": True}, use_t=True
    )
    ours = cr1(linearise(scores), *codes(cluster))
    assert (ours.se, ours.df) == (close(fit.bse[0]), fit.df_resid_inference)


def test_with_clusters_of_one_size_the_public_mean_is_statsmodels_cluster_covariance() -> None:
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(12), 7)
    scores = rng.normal(size=12)[cluster] + rng.normal(size=84)
    fit = sm.OLS(scores, np.ones(84)).fit(cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True)
    result = stats.mean_estimate(scores, cluster)
    assert (result.se, result.df) == (close(fit.bse[0]), close(11))
    assert [result.ci_low, result.ci_high] == [close(x) for x in fit.conf_int()[0]]


@pytest.mark.parametrize("seed", range(3))
def test_cr2_in_closed_form_is_its_definition_by_matrices(seed: int) -> None:
    scores, cluster = unequal(seed)
    n, x = len(scores), np.ones((len(scores), 1))
    residual_maker = np.eye(n) - x @ x.T / n
    columns, variance = [], 0.0
    for group in np.unique(cluster):
        inside = cluster == group
        values, vectors = np.linalg.eigh(np.eye(inside.sum()) - np.full((inside.sum(),) * 2, 1 / n))
        adjust = vectors @ np.diag(values**-0.5) @ vectors.T
        columns.append(residual_maker[:, inside] @ adjust @ x[inside, 0] / n)
        variance += float(columns[-1] @ scores) ** 2
    gram = np.array(columns) @ np.array(columns).T
    result = stats.mean_estimate(scores, cluster)
    assert result.se == close(np.sqrt(variance))
    assert result.df == close(np.trace(gram) ** 2 / np.sum(gram**2))


def test_ratio_is_weighted_least_squares_with_robust_errors() -> None:
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(20), 6)
    words = rng.integers(1, 30, 120).astype(float)
    errors = rng.binomial(words.astype(int), 0.2).astype(float)
    model = sm.WLS(errors / words, np.ones(120), weights=words)
    iid = stats.ratio_estimate(errors, words)
    assert (iid.value, iid.se) == (close(errors.sum() / words.sum()), close(model.fit(cov_type="HC2").bse[0]))
    clustered = model.fit(cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True)
    assert cr1(linearise(errors, words), *codes(cluster)).se == close(clustered.bse[0])


def test_macro_average_of_independent_strata_is_welch() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(0.4, 1, 9), rng.normal(0, 3, 14)
    welch = ss.ttest_ind(a, b, equal_var=False)
    result = stats.stratified_estimate(np.concatenate([a, -b]), ["a"] * 9 + ["b"] * 14)
    assert result.value / result.se == close(welch.statistic)
    assert result.df == close(welch.df)


def test_strata_in_shared_clusters_add_up_inside_each_cluster() -> None:
    """Two strata of one item a picture: the macro mean is the mean of the pictures' averages."""
    rng = np.random.default_rng(7)
    easy, hard = rng.normal(size=(2, 30))
    result = stats.stratified_estimate(
        np.concatenate([easy, hard]), ["easy"] * 30 + ["hard"] * 30, [*range(30), *range(30)]
    )
    by_picture = stats.mean_estimate((easy + hard) / 2)
    assert (result.value, result.se, result.df) == (
        close(by_picture.value),
        close(by_picture.se),
        close(29),
    )


def test_weights_shift_the_macro_average() -> None:
    scores, strata = [1.0, 0.0, 0.5, 0.25], ["a", "a", "b", "b"]
    weighted = stats.stratified_estimate(scores, strata, weights={"b": 3, "a": 1})
    assert weighted.value == close(0.25 * 0.5 + 0.75 * 0.375)
    assert stats.stratified_estimate(scores, strata).value == close(0.4375)


def test_paired_difference_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(8)
    a = rng.normal(0.2, 1, 50)
    b = 0.6 * a + rng.normal(size=50)
    expected = ss.ttest_rel(a, b)
    result = stats.paired_difference(a, b, margin=0.3)
    assert (result.t, result.p_value, result.df) == (
        close(expected.statistic),
        close(expected.pvalue),
        close(49),
    )
    assert [result.ci_low, result.ci_high] == [close(x) for x in expected.confidence_interval()]
    assert result.correlation == close(np.corrcoef(a, b)[0, 1])
    assert result.variance_reduction == close(1 - (a - b).var() / (a.var() + b.var()))
    not_worse = ss.ttest_1samp(a - b, -0.3, alternative="greater").pvalue
    not_better = ss.ttest_1samp(a - b, 0.3, alternative="less").pvalue
    assert result.p_noninferior == close(not_worse)
    assert result.p_equivalent == close(max(not_worse, not_better))


def test_clustered_paired_difference_is_statsmodels_on_the_differences() -> None:
    rng = np.random.default_rng(9)
    cluster = np.repeat(np.arange(10), 5)
    a, b = rng.normal(size=(2, 50)) + rng.normal(size=10)[cluster]
    fit = sm.OLS(a - b, np.ones(50)).fit(cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True)
    result = stats.paired_difference(a, b, cluster)
    assert (result.se, result.t, result.p_value) == (
        close(fit.bse[0]),
        close(fit.tvalues[0]),
        close(fit.pvalues[0]),
    )


def test_paired_ratio_with_equal_denominators_is_the_ratio_of_the_differences() -> None:
    rng = np.random.default_rng(10)
    words = rng.integers(1, 30, 90).astype(float)
    a, b = rng.binomial(words.astype(int), 0.2), rng.binomial(words.astype(int), 0.3)
    cluster = np.repeat(np.arange(18), 5)
    result = stats.paired_ratio_difference(a, words, b, words, cluster)
    expected = stats.ratio_estimate(a - b, words, cluster)
    assert (result.mean_diff, result.se, result.df) == (
        close(expected.value),
        close(expected.se),
        close(expected.df),
    )


def test_few_wrong_answers_get_the_wilson_interval() -> None:
    result = stats.mean_estimate([1] * 93 + [0] * 7, level=0.95)
    assert "Wilson" in result.method
    assert (result.ci_low, result.ci_high) == tuple(close(x) for x in proportion_confint(93, 100, 0.05, "wilson"))
    assert "Wilson" not in stats.mean_estimate([1] * 90 + [0] * 10).method


@pytest.mark.parametrize(("only_a", "only_b"), [(9, 2), (3, 0), (4, 5), (60, 25)])
def test_mcnemar_mid_p(only_a: int, only_b: int) -> None:
    a = [1] * only_a + [0] * only_b + [1] * 20 + [0] * 5
    b = [0] * only_a + [1] * only_b + [1] * 20 + [0] * 5
    n, k = only_a + only_b, min(only_a, only_b)
    expected = 2 * (ss.binom.cdf(k, n, 0.5) - ss.binom.pmf(k, n, 0.5) / 2)
    assert stats.paired_difference(a, b).p_mcnemar == close(expected)


@pytest.mark.parametrize(("ours", "theirs"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_adjusted_p_values_leave_out_what_was_not_tested(ours: str, theirs: str) -> None:
    p = np.array([0.04, np.nan, 0.001, 0.03, 0.5, np.nan, 0.03, 0.9])
    known = ~np.isnan(p)
    adjusted = stats.adjust_pvalues(p, ours)
    np.testing.assert_allclose(adjusted[known], multipletests(p[known], method=theirs)[1], rtol=1e-12)
    assert np.isnan(adjusted[~known]).all()
    assert stats.adjust_pvalues([]).size == 0


def test_tiny_p_values_do_not_vanish() -> None:
    a = np.random.default_rng(11).normal(10, 1, 200)
    result = stats.paired_difference(a, np.zeros(200))
    assert 0 < result.p_value < 1e-150
    assert result.p_value == close(2 * ss.t.sf(result.t, 199))


def test_the_band_of_one_checkpoint_among_many_clusters_is_its_own_interval() -> None:
    rng = np.random.default_rng(12)
    base = rng.normal(size=2000)
    later = base + rng.normal(0.05, 1, 2000)
    band = stats.simultaneous_band({"first": base, "later": later}, seed=1, resamples=20000)
    expected = ss.ttest_rel(later, base)
    (point,) = band.points
    assert (point.mean_diff, point.p_value) == (close((later - base).mean()), close(expected.pvalue))
    assert [point.ci_low, point.ci_high] == [close(x) for x in expected.confidence_interval()]
    assert band.critical == pytest.approx(ss.t.ppf(0.975, 1999), rel=0.02)
    assert point.p_adjusted == pytest.approx(point.p_value, abs=0.005)


def test_the_band_of_many_independent_checkpoints_is_dunnetts() -> None:
    """Many to one: differences to a shared baseline, correlated by a half."""
    rng = np.random.default_rng(13)
    scores = {k: rng.normal(size=2000) for k in range(8)}
    band = stats.simultaneous_band(scores, seed=1, resamples=20000)
    mean, scale = np.zeros(7), np.full((7, 7), 0.5) + 0.5 * np.eye(7)
    largest = np.abs(ss.multivariate_normal(mean, scale).rvs(200_000, random_state=1)).max(axis=1)
    assert band.critical == pytest.approx(np.quantile(largest, 0.95), rel=0.02)


@pytest.mark.parametrize("k", [1, 4])
def test_sample_size_without_clusters_is_statsmodels_normal_sample_size(k: int) -> None:
    sd = np.sqrt(0.09 + (0.2 + 0.1) / k)
    exact = normal_sample_size_one_tail(0.02, 0.9, 0.01 / 2, std_null=sd)
    plan = {"omega2": 0.09, "var_a": 0.2, "var_b": 0.1, "k_a": k, "k_b": k, "alpha": 0.01, "power": 0.9}
    assert stats.sample_size(0.02, **plan) == int(np.ceil(exact))
    assert stats.minimum_detectable_effect(exact, **plan) == close(0.02)


@pytest.mark.parametrize("seed", range(3))
def test_variance_components_are_those_of_scipys_analysis_of_variance(seed: int) -> None:
    scores, cluster = unequal(seed)
    groups = [scores[cluster == c] for c in np.unique(cluster)]
    sizes = np.array([len(group) for group in groups])
    within = sum(((group - group.mean()) ** 2).sum() for group in groups) / (len(scores) - len(groups))
    size = (len(scores) - (sizes**2).sum() / len(scores)) / (len(groups) - 1)
    component = (ss.f_oneway(*[group for group in groups]).statistic - 1) * within / size
    result = stats.variance_components(scores, cluster)
    assert (result.total, result.icc) == (close(component + within), close(component / (component + within)))
    assert result.icc == close(stats.mean_estimate(scores, cluster).icc)
    assert (result.cluster_size, result.cluster_size_cv) == (close(sizes.mean()), close(sizes.std() / sizes.mean()))


def test_with_clusters_of_one_size_the_components_are_statsmodels_mixed_model() -> None:
    rng = np.random.default_rng(14)
    cluster = np.repeat(np.arange(40), 5)
    scores = rng.normal(size=40)[cluster] + rng.normal(size=200)
    fit = sm.MixedLM(scores, np.ones((200, 1)), groups=cluster).fit(reml=True)
    component = float(np.asarray(fit.cov_re)[0, 0])
    result = stats.variance_components(scores, cluster)
    assert result.icc == pytest.approx(component / (component + fit.scale), rel=1e-3)  # it iterates
    assert result.total == pytest.approx(component + fit.scale, rel=1e-3)


@pytest.mark.parametrize("m", [1, 2, 5, 8])
def test_pass_at_m_and_pass_hat_m_are_hypergeometric(m: int) -> None:
    rng = np.random.default_rng(15)
    scores = (rng.random((60, 8)) < rng.random((60, 1))).astype(float)
    right = scores.sum(axis=1).astype(int)
    result = stats.stability(scores, pass_sizes=[m])
    assert result.pass_at_k[m].value == close(1 - ss.hypergeom.pmf(0, 8, right, m).mean())
    assert result.pass_hat_k[m].value == close(ss.hypergeom.pmf(m, 8, right, m).mean())


def test_within_and_between_variance_are_the_one_way_random_model() -> None:
    rng = np.random.default_rng(16)
    scores = rng.normal(size=(50, 1)) + rng.normal(size=(50, 6))
    result = stats.stability(scores)
    within = scores.var(axis=1, ddof=1).mean()
    assert result.within_variance.value == close(within)
    assert result.between_variance.value == close((ss.f_oneway(*scores).statistic - 1) * within / 6)
    assert result.ea.value == close(scores.mean())
    with_noise = stats.variance_components(scores)
    assert (with_noise.omega2, with_noise.var_a) == (close(result.between_variance.value), close(within))
