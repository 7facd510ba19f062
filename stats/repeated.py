"""Several sampled answers to each item: how good, how steady, how often at least one or all are right."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stats.answers import Answers, agree, answer_codes, majority_scores
from stats.arrays import Labels, Vector, is_binary, join_notes
from stats.bootstrap import bootstrap_estimate
from stats.estimates import mean_estimate
from stats.results import Estimate
from stats.variance import item_means, item_variances, samples


@dataclass(frozen=True, slots=True)
class Stability:
    """K sampled answers an item (temperature 0.7, say). What is undefined is NaN with its reason in `note`.

    k:  samples an item; print it with cr and worst_case, which compare at the same k only.
    ea: expected accuracy, the mean score of all samples.
    ca: consensus accuracy, the score of the majority answer; ties take their expected score.
    iv: internal variance, the mean of the unbiased variance within an item; lower is steadier.
    cr: consistency rate, the share of items whose k answers all agree; falls with k.
    between_variance: variance over items of the true score, that of the item means less their noise, iv / k.
    worst_case: mean of each item's lowest score (over samples, or over variants of a prompt); falls with k.
    pass_at_k:  m -> chance that at least one of m samples is right; for 0/1 scores.
    pass_hat_k: m -> chance that all of m samples are right ("pass^k"); for 0/1 scores.
    n, n_clusters: items with a scored sample, and their clusters.
    """

    k: int
    ea: Estimate
    ca: Estimate
    iv: Estimate
    cr: Estimate
    between_variance: Estimate
    worst_case: Estimate
    pass_at_k: dict[int, Estimate]
    pass_hat_k: dict[int, Estimate]
    n: int
    n_clusters: int
    note: str = ""

    @property
    def within_variance(self) -> Estimate:
        return self.iv


def stability(
    scores: npt.ArrayLike,
    answers: Answers | None = None,
    clusters: Labels | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = 2000,
    pass_sizes: Sequence[int] | None = None,
) -> Stability:
    """What K >= 2 samples of each item tell, each figure with its interval.

    scores:  (n, K), one row an item; NaN is unscored and left out.
    answers: (n, K) extracted answers, hashable, equal where the judge calls them so; None is "no answer", a
             class of its own. Without them ca and cr are NaN.
    clusters: (n,) labels as in `mean_estimate`. pass_sizes: m of pass@m and pass^m, 1 to K; None: 1, 2, 4, ... K.

    With c of K_i samples right, pass@m is 1 - C(K_i - c, m) / C(K_i, m) (Chen et al. 2021, arXiv 2107.03374)
    and pass^m is C(c, m) / C(K_i, m) (Yao et al. 2024, arXiv 2406.12045). Variance of a score = iv +
    between_variance (law of total variance). cr and worst_case use items of which all K samples are scored,
    iv and between_variance those with two or more, pass@m those with m or more.
    Intervals: a figure that is a mean over items has that of `mean_estimate`, so that ea is what the report says
    and a rate of 0 or 1 has a width; the two variances come from a seeded cluster bootstrap.
    Raises ValueError for K = 1, other shapes, and pass_sizes outside 1 to K.
    """
    table = samples(scores, "scores")
    n, k = table.shape
    if k < 2:
        raise ValueError("stability needs two or more samples an item: set `repeats` to 5 or so, at temperature 0.7")
    sizes = _pass_sizes(k) if pass_sizes is None else tuple(pass_sizes)
    if any(m != int(m) or not 1 <= m <= k for m in sizes):
        raise ValueError(f"pass_sizes are whole numbers from 1 to the {k} samples of an item, not {list(sizes)}")
    count = (~np.isnan(table)).sum(axis=1)
    whole = count == k
    lowest = np.where(whole, table.min(axis=1), np.nan)  # NaN where any sample is unscored
    ca = cr = np.full(n, np.nan)
    if answers is not None:
        codes, _ = answer_codes(answers, table.shape)
        ca, cr = majority_scores(table, codes), np.where(whole, agree(codes), np.nan)
    labels = clusters if clusters is None or isinstance(clusters, np.ndarray) else list(clusters)  # read repeatedly

    def mean(values: Vector) -> Estimate:
        return mean_estimate(values, labels, level=level)

    def over_bootstrap(statistic: Callable[[Vector], float]) -> Estimate:
        rows = np.column_stack([item_means(table), item_variances(table), count.astype(np.float64)])
        return bootstrap_estimate(statistic, rows, labels, seed=seed, resamples=resamples, level=level)

    ea = mean(item_means(table))
    unscored = f"{int((~whole).sum())} of {n} items have unscored samples" if not whole.all() else ""
    between = over_bootstrap(_between)
    negative = "negative: noise within items explains all variation" if between.value < 0 else ""
    return Stability(
        k=k,
        ea=ea,
        ca=_without_answers(mean(ca), answers is None),
        iv=over_bootstrap(lambda rows: float(rows[:, 1].mean())),
        cr=_without_answers(mean(cr), answers is None),
        between_variance=replace(between, note=join_notes(between.note, negative)),
        worst_case=mean(lowest),
        pass_at_k={int(m): _zero_one(mean(1 - _chance(count - _right(table), count, int(m))), table) for m in sizes},
        pass_hat_k={int(m): _zero_one(mean(_chance(_right(table), count, int(m))), table) for m in sizes},
        n=ea.n,
        n_clusters=ea.n_clusters,
        note=unscored,
    )


def _pass_sizes(k: int) -> tuple[int, ...]:
    return tuple(sorted({2**e for e in range(k.bit_length()) if 2**e <= k} | {k}))


def _between(rows: Vector) -> float:
    """rows: (n, 3) mean, variance and number of samples of each item."""
    means, variances, count = rows.T
    if len(means) < 2:
        return math.nan
    return float(means.var(ddof=1) - (variances / count).mean())


def _right(table: Vector) -> Vector:
    """(n,) samples that are right, of 0/1 scores."""
    right: Vector = np.nansum(table, axis=1)
    return right


def _chance(wanted: Vector, count: npt.NDArray[np.intp], m: int) -> Vector:
    """(n,) C(wanted, m) / C(count, m), the chance that m of the item's samples are all wanted; NaN below m."""
    drawn = np.arange(m)[:, None]
    factors: Vector = np.maximum(wanted - drawn, 0) / np.maximum(count - drawn, 1)  # (m, n)
    return np.where(count < m, np.nan, factors.prod(axis=0))


def _zero_one(estimate: Estimate, table: Vector) -> Estimate:
    if is_binary(table[~np.isnan(table)]):
        return estimate
    return _undefined(estimate, "the scores are not all 0 or 1")


def _without_answers(estimate: Estimate, missing: bool) -> Estimate:
    return _undefined(estimate, "no extracted answers were given") if missing else estimate


def _undefined(estimate: Estimate, reason: str) -> Estimate:
    nan = math.nan
    return Estimate(nan, nan, nan, nan, nan, 0, 0, nan, nan, nan, estimate.method, f"undefined: {reason}")
