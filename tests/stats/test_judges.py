"""A judge against people: the estimators against other software, and their intervals by simulation."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from statsmodels.stats.inter_rater import cohens_kappa, to_table

import stats
from stats.prediction_powered import prediction_powered_mean
from stats.raters import cohen_kappa, spearman

REPEATS = 300
# Three Monte Carlo standard errors at 95 %.
NOISE = 3 * np.sqrt(0.95 * 0.05 / REPEATS)


def verdicts(rng: np.random.Generator, n: int, accuracy: float, chance: np.ndarray | float = 0.6) -> tuple:
    """People's 0/1 verdicts, and a judge that says the same with this probability and else tosses a coin."""
    human = (rng.random(n) < chance).astype(float)
    judge = np.where(rng.random(n) < accuracy, human, rng.random(n) < 0.5).astype(float)
    return judge, human


def some(rng: np.random.Generator, human: np.ndarray, count: int) -> np.ndarray:
    known = np.full(len(human), np.nan)
    chosen = rng.choice(len(human), count, replace=False)
    known[chosen] = human[chosen]
    return known


@pytest.mark.parametrize("accuracy", [0.0, 0.6, 0.95])
def test_the_prediction_powered_interval_covers_whatever_the_judge_is_worth(accuracy: float) -> None:
    rng = np.random.default_rng(1)
    covered, gains = 0, []
    for _ in range(REPEATS):
        judge, human = verdicts(rng, 500, accuracy)
        found = prediction_powered_mean(judge, some(rng, human, 100))
        covered += found.estimate.ci_low <= 0.6 <= found.estimate.ci_high
        gains.append(found.gain)
    assert covered / REPEATS >= 0.95 - NOISE
    # A good judge narrows the interval, one at chance hardly widens it.
    assert np.mean(gains) > 0.4 if accuracy == 0.95 else np.mean(gains) > -0.03


def test_it_covers_where_clusters_hold_several_items_and_are_labelled_whole() -> None:
    rng = np.random.default_rng(2)
    cluster = np.repeat(np.arange(100), 6)
    strength = 0.7 / 0.3  # an ICC of 0.3
    covered = naive = 0
    for _ in range(REPEATS):
        chance = rng.beta(0.6 * strength, 0.4 * strength, 100)[cluster]
        judge, human = verdicts(rng, 600, 0.6, chance)
        labelled = np.isin(cluster, rng.choice(100, 40, replace=False))
        known = np.where(labelled, human, np.nan)
        found = prediction_powered_mean(judge, known, cluster).estimate
        covered += found.ci_low <= 0.6 <= found.ci_high
        blind = prediction_powered_mean(judge, known).estimate
        naive += blind.ci_low <= 0.6 <= blind.ci_high
    assert covered / REPEATS >= 0.95 - NOISE
    assert naive / REPEATS < 0.93  # the data do need it


def test_a_biased_judge_is_corrected_and_its_own_mean_is_not() -> None:
    rng = np.random.default_rng(3)
    human = (rng.random(2000) < 0.5).astype(float)
    judge = np.where(rng.random(2000) < 0.4, 1.0, human)  # says "right" too often
    found = prediction_powered_mean(judge, some(rng, human, 300))
    assert found.judge.ci_low > 0.6
    assert found.estimate.ci_low < 0.5 < found.estimate.ci_high
    assert found.bias.value == pytest.approx(0.2, abs=0.06)
    assert 0 < found.weight <= 1


def test_lambda_is_that_of_ppi_plus_plus_and_lambda_one_is_plain_prediction_powered_inference() -> None:
    rng = np.random.default_rng(4)
    judge, human = verdicts(rng, 400, 0.7)
    known = some(rng, human, 100)
    labelled = ~np.isnan(known)
    found = prediction_powered_mean(judge, known)
    inside, outside = judge[labelled], judge[~labelled]
    covariance = np.mean((human[labelled] - human[labelled].mean()) * (inside - inside.mean()))
    expected = (covariance / 100) / (outside.var() / 300 + inside.var() / 100)
    assert found.weight == pytest.approx(expected, rel=1e-9)
    plain = prediction_powered_mean(judge, known, weight=1)
    rectified = human[labelled] - inside
    assert plain.estimate.value == pytest.approx(outside.mean() + rectified.mean(), rel=1e-12)
    se = np.sqrt(outside.var(ddof=1) / 300 + rectified.var(ddof=1) / 100)
    assert plain.estimate.se == pytest.approx(se, rel=1e-9)


def test_every_item_labelled_or_none() -> None:
    judge, human = np.array([1.0, 0, 1, 1]), np.array([1.0, 1, 0, 1])
    assert prediction_powered_mean(judge, human).estimate.value == 0.75
    nobody = prediction_powered_mean(judge, np.full(4, np.nan))
    assert np.isnan(nobody.estimate.value)
    assert "nobody looked" in nobody.estimate.note
    assert nobody.judge.value == 0.75


def test_kappa_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(5)
    a = rng.integers(0, 5, 300)
    b = np.clip(a + rng.integers(-1, 2, 300), 0, 4)
    table, _ = to_table(np.stack([a, b], 1))
    assert cohen_kappa(a.astype(float), b.astype(float)) == pytest.approx(cohens_kappa(table).kappa, rel=1e-10)
    quadratic = cohens_kappa(table, wt="quadratic").kappa
    assert cohen_kappa(a.astype(float), b.astype(float), weighted=True) == pytest.approx(quadratic, rel=1e-10)


def test_two_that_never_differ_have_an_interval_next_to_that_of_two_that_differ_once() -> None:
    human = np.array([1.0] * 27 + [0.0] * 13)
    once = human.copy()
    once[0] = 0
    never, nearly = (stats.agreement(judge, human).kappa for judge in (human, once))
    assert (never.value, never.ci_high) == (1, 1)
    assert nearly.ci_low - 0.05 < never.ci_low < 0.9
    few = stats.agreement(human[25:29], human[25:29]).kappa
    assert few.ci_low < 0.1, "four items say little"
    three = np.array([0.0, 1.0, 2.0] * 10)
    assert np.isnan(stats.agreement(three, three).kappa.ci_low), "nobody saw how far apart they can be"


def test_kappas_interval_is_that_of_statsmodels_within_the_bootstraps_noise() -> None:
    rng = np.random.default_rng(6)
    judge, human = verdicts(rng, 400, 0.6)
    found = stats.agreement(judge, human)
    table, _ = to_table(np.stack([judge, human], 1).astype(int))
    expected = cohens_kappa(table)
    assert found.kappa.value == pytest.approx(expected.kappa, rel=1e-10)
    assert found.kappa.se == pytest.approx(expected.std_kappa, rel=0.1)
    assert sum(map(sum, found.confusion)) == 400
    assert found.confusion[1][0] == int(((human == 1) & (judge == 0)).sum())


def test_kappa_of_raters_who_never_vary_is_undefined_and_not_one() -> None:
    found = stats.agreement(np.ones(20), np.ones(20))
    assert np.isnan(found.kappa.value)
    assert found.agreement.value == 1


def test_a_panel_by_krippendorffs_package_with_missing_ratings() -> None:
    # The example of Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section C: nominal data.
    nan = np.nan
    ratings = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
            [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
        ]
    ).T
    found = stats.panel_alpha(ratings, measure="nominal")
    assert found.value == pytest.approx(0.743, abs=5e-4)
    assert found.ci_low < found.value < found.ci_high


def test_rank_correlation_given_the_human_verdict_tells_bias_from_merit() -> None:
    rng = np.random.default_rng(7)
    human = (rng.random(600) < 0.5).astype(float)
    length = 100 + 80 * human + rng.normal(0, 20, 600)  # right answers are longer
    fair = np.where(rng.random(600) < 0.8, human, 1 - human)
    assert stats.rank_correlation(fair, length).value > 0.3
    held = stats.rank_correlation(fair, length, given=human)
    assert held.ci_low < 0 < held.ci_high
    vain = (length + rng.normal(0, 20, 600) > 140).astype(float)
    assert stats.rank_correlation(vain, length, given=human).ci_low > 0.2


def test_spearman_is_scipys() -> None:
    rng = np.random.default_rng(8)
    x = rng.integers(0, 6, 200).astype(float)
    y = x + rng.normal(0, 2, 200)
    assert spearman(x, y) == pytest.approx(spearmanr(x, y)[0], rel=1e-10)
    assert np.isnan(spearman(np.ones(10), y[:10]))
