"""Does a 5 % test reject 5 %, does a 95 % interval cover 95 %? Tables by simulation over designs.

Run from the repository root: ``python -m bench.stats_calibration`` (some minutes; see ``--repeats``). Every number
stands with its Monte Carlo standard error; the bounds at the end allow two of them. Columns:

plain t    false positives of the paired t test that takes all items as independent
paired     false positives of ``stats.paired_difference`` on the same data, two equal models
CR1        the same with the usual cluster-robust error and t(G-1)
mean 60%   coverage of ``stats.mean_estimate`` for 0/1 scores of clustered items, 60 % right
mean 98%   the same, 98 % right: mostly Wilson intervals. Most clusters are then all right, and the few
           that are not say little of the design effect: what they leave open makes it conservative
ratio      coverage of ``stats.ratio_estimate``, a word error rate with references of 5 to 25 words
bootstrap  coverage of ``stats.bootstrap_estimate`` (500 resamples) of the 60 % mean, fewer repeats

and over 20 equal checkpoints, the differences of 19 to the first (repeats / 5):

pointwise  chance that one of the 19 intervals of its own misses 0
Gaussian   the same of a band by Gaussian multipliers of clusters, standard errors kept
band       family-wise error of ``stats.simultaneous_band``, normal scores, independent between checkpoints
band 0/1   the same, 0/1 scores, 70 % right, checkpoints that resemble the one before
best       coverage of ``stats.best_checkpoint``'s interval for the one it chose (0/1, as before)
kept out   how often its candidates lack a checkpoint that is as good as any (the hardest case)
excess     what the maximum is above the truth on average, in points; left: the same after the correction

and the power that ``stats.sample_size`` promised (80 %), reached with the number of items it asked for.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

import stats
from bench._common import verdict
from stats.influence import cr1, linearise
from stats.intervals import t_critical

LEVEL = 0.95
CHECKPOINTS = 20


def lognormal_sizes(clusters: int, smallest: int, largest: int) -> np.ndarray:
    """Cluster sizes at evenly spaced quantiles of a lognormal over that range, shape (clusters,)."""
    z = ndtri((np.arange(clusters) + 0.5) / clusters)
    z = (z - z[0]) / (z[-1] - z[0])
    return np.round(smallest * (largest / smallest) ** z).astype(int)


# name: (cluster sizes, ICC)
DESIGNS: dict[str, tuple[np.ndarray, float]] = {
    "300 x 3, ICC .3": (np.full(300, 3), 0.3),
    "100 x 10, ICC .3": (np.full(100, 10), 0.3),
    "20 x 30, ICC .2": (np.full(20, 30), 0.2),
    "8 x 50, ICC .2": (np.full(8, 50), 0.2),
    "40 x 2..120, ICC .2": (lognormal_sizes(40, 2, 120), 0.2),
    "20 x 2..120, ICC .2": (lognormal_sizes(20, 2, 120), 0.2),
    "12 x 3..100, ICC .2": (lognormal_sizes(12, 3, 100), 0.2),
}


def gaussian(rng: np.random.Generator, cluster: np.ndarray, icc: float) -> np.ndarray:
    """Scores of mean 0 and variance 1 with that intraclass correlation, shape (n,)."""
    shared = rng.normal(0, math.sqrt(icc), cluster.max() + 1)
    return shared[cluster] + rng.normal(0, math.sqrt(1 - icc), len(cluster))


def right_or_wrong(rng: np.random.Generator, cluster: np.ndarray, icc: float, right: float) -> np.ndarray:
    """0/1 scores with mean `right` and that intraclass correlation (beta-binomial), shape (n,)."""
    strength = (1 - icc) / icc
    chance = rng.beta(right * strength, (1 - right) * strength, cluster.max() + 1)
    return (rng.random(len(cluster)) < chance[cluster]).astype(float)


def training_run(rng: np.random.Generator, cluster: np.ndarray, icc: float, right: np.ndarray) -> dict[str, np.ndarray]:
    """0/1 scores of checkpoints with these shares right; each answers much as the one before it."""
    scores, latent = {}, gaussian(rng, cluster, icc)
    for step, share in enumerate(right):
        scores[f"step {step}"] = (latent < ndtri(share)).astype(float)
        latent = 0.8 * latent + 0.6 * gaussian(rng, cluster, icc)
    return scores


def covers(estimate: stats.Estimate | stats.BestCheckpoint, truth: float) -> bool:
    return estimate.ci_low <= truth <= estimate.ci_high


def differences(rng: np.random.Generator, cluster: np.ndarray, icc: float) -> tuple[bool, bool, bool]:
    """One false positive or none, of the plain t test, the clustered one and CR1."""
    base = rng.normal(size=len(cluster))
    a, b = base + gaussian(rng, cluster, icc), base
    codes = cluster.astype(np.intp)
    diff = linearise(a).minus(linearise(b))
    usual = cr1(diff, codes, int(codes.max()) + 1)
    return (
        stats.paired_difference(a, b).p_value < 1 - LEVEL,
        stats.paired_difference(a, b, cluster).p_value < 1 - LEVEL,
        abs(diff.value) > t_critical(LEVEL, usual.df) * usual.se,
    )


def mean_covers(rng: np.random.Generator, cluster: np.ndarray, icc: float, right: float) -> tuple[bool]:
    scores = right_or_wrong(rng, cluster, icc, right)
    return (covers(stats.mean_estimate(scores, cluster, level=LEVEL), right),)


def ratio_covers(rng: np.random.Generator, cluster: np.ndarray, icc: float) -> tuple[bool]:
    words = rng.integers(5, 26, len(cluster))
    # Of words, not of items: a tenth gives items of 15 words about the design's correlation.
    strength = (1 - icc / 10) / (icc / 10)
    rate = rng.beta(0.2 * strength, 0.8 * strength, cluster.max() + 1)[cluster]
    return (covers(stats.ratio_estimate(rng.binomial(words, rate), words, cluster, level=LEVEL), 0.2),)


def bootstrap_covers(rng: np.random.Generator, cluster: np.ndarray, icc: float) -> tuple[bool]:
    scores = right_or_wrong(rng, cluster, icc, 0.6)
    seed = int(rng.integers(2**32))
    return (covers(stats.bootstrap_estimate(np.mean, scores, cluster, seed=seed, resamples=500), 0.6),)


def bands(rng: np.random.Generator, cluster: np.ndarray, icc: float) -> tuple[bool, bool, bool, bool]:
    """Whether any of 19 differences that are none is called one: pointwise, Gaussian, ours, ours on 0/1 scores."""
    scores = {k: gaussian(rng, cluster, icc) for k in range(CHECKPOINTS)}
    seed = int(rng.integers(2**32))
    band = stats.simultaneous_band(scores, cluster, seed=seed)
    table = np.column_stack([scores[k] - scores[0] for k in range(1, CHECKPOINTS)])
    sums = np.zeros((cluster.max() + 1, CHECKPOINTS - 1))
    np.add.at(sums, cluster, table - table.mean(axis=0))
    se = np.sqrt((sums**2).sum(axis=0))
    drawn = np.abs(rng.normal(size=(2000, len(sums))) @ (sums / se)).max(axis=1)
    zero_one = stats.simultaneous_band(training_run(rng, cluster, icc, np.full(CHECKPOINTS, 0.7)), cluster, seed=seed)
    return (
        any(point.p_value < 1 - LEVEL for point in band.points),
        bool((np.abs(table.sum(axis=0)) / se).max() > np.quantile(drawn, LEVEL)),
        any(not point.band_low <= 0 <= point.band_high for point in band.points),
        any(not point.band_low <= 0 <= point.band_high for point in zero_one.points),
    )


def choices(rng: np.random.Generator, cluster: np.ndarray, icc: float) -> tuple[bool, bool, float, float]:
    """Interval covers; one of 20 equal best is not among the candidates; maximum and corrected minus the truth."""
    scores = training_run(rng, cluster, icc, np.full(CHECKPOINTS, 0.7))
    best = stats.best_checkpoint(scores, cluster, seed=int(rng.integers(2**32)))
    kept_out = f"step {CHECKPOINTS // 2}" not in best.candidates
    return covers(best, 0.7), kept_out, 100 * (best.value - 0.7), 100 * (best.corrected - 0.7)


# Samples an item of both models, ICC of the true differences, items a cluster.
PLANS = {
    "independent, K = 1": (1, 0.0, 1),
    "independent, K = 4": (4, 0.0, 1),
    "clusters of 5, ICC .2, K = 2": (2, 0.2, 5),
}


def power_reached(rng: np.random.Generator, k: int, icc: float, size: int) -> tuple[bool]:
    """A true difference of 0.05, omega2 = 0.04, noise within items of variance 0.1 on both sides."""
    needed = stats.sample_size(0.05, omega2=0.04, var_a=0.1, var_b=0.1, k_a=k, k_b=k, icc=icc, cluster_size=size)
    cluster = np.repeat(np.arange(-(-needed // size)), size)
    truth = 0.05 + 0.2 * gaussian(rng, cluster, icc)
    noise = rng.normal(0, math.sqrt(0.1 / k), (2, len(cluster)))
    return (stats.paired_difference(truth + noise[0], noise[1], cluster).p_value < 1 - LEVEL,)


def rates(trial: Callable[[], tuple[float, ...]], repeats: int) -> list[tuple[float, float]]:
    """Mean over the repeats of each outcome of a trial (true is 100 %), with its Monte Carlo standard error."""
    drawn = np.array([[100.0 * x if isinstance(x, bool | np.bool_) else x for x in trial()] for _ in range(repeats)])
    return list(zip(drawn.mean(axis=0), drawn.std(axis=0) / math.sqrt(repeats), strict=True))


def row(name: str, cells: list[tuple[float, float]]) -> None:
    print(f"{name:<30}", *(f"{f'{mean:.1f} ±{error:.1f}':>10}" for mean, error in cells), flush=True)


def header(name: str, *titles: str) -> None:
    print(f"\n{name:<30}", *(f"{title:>10}" for title in titles), "   in %, ± Monte Carlo error")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, start, bounds = np.random.default_rng(options.seed), time.perf_counter(), {}
    designs = {name: (np.repeat(np.arange(len(m)), m), icc, len(set(m)) == 1) for name, (m, icc) in DESIGNS.items()}

    header("one model, two models", "plain t", "paired", "CR1", "mean 60%", "mean 98%", "ratio", "bootstrap")
    for name, (c, icc, balanced) in designs.items():
        pairs = rates(lambda c=c, r=icc: differences(rng, c, r), options.repeats)
        means = rates(lambda c=c, r=icc: mean_covers(rng, c, r, 0.6), options.repeats)
        rare = rates(lambda c=c, r=icc: mean_covers(rng, c, r, 0.98), options.repeats)
        ratio = rates(lambda c=c, r=icc: ratio_covers(rng, c, r), options.repeats)
        boot = rates(lambda c=c, r=icc: bootstrap_covers(rng, c, r), max(1, options.repeats // 10))
        row(name, [*pairs, *means, *rare, *ratio, *boot])
        (wrong, error), (covered, covered_error) = pairs[1], means[0]
        bounds[f"{name}: paired at most 6 %"] = wrong <= 6 + 2 * error
        bounds[f"{name}: mean 98% covers 93 % or more"] = rare[0][0] >= 93 - 2 * rare[0][1]
        if balanced:
            bounds[f"{name}: paired at least 4 %"] = wrong >= 4 - 2 * error
            bounds[f"{name}: mean 60% covers 94 to 96 %"] = abs(covered - 95) <= 1 + 2 * covered_error

    repeats = max(1, options.repeats // 5)
    titles = ("pointwise", "Gaussian", "band", "band 0/1", "best", "kept out", "excess", "left")
    header(f"{CHECKPOINTS} checkpoints", *titles)
    for name, (c, icc, _) in designs.items():
        families = rates(lambda c=c, r=icc: bands(rng, c, r), repeats)
        best = rates(lambda c=c, r=icc: choices(rng, c, r), repeats)
        row(name, [*families, *best])
        if c.max() + 1 >= 20:
            for title, (wrong, error) in zip(("band", "band 0/1"), families[2:], strict=True):
                bounds[f"{name}: {title} at most 7 %"] = wrong <= 7 + 2 * error
            bounds[f"{name}: an equal one kept out at most 6 %"] = best[1][0] <= 6 + 2 * best[1][1]

    header("power asked for: 80 %", "reached")
    for name, plan in PLANS.items():
        cells = rates(lambda plan=plan: power_reached(rng, *plan), options.repeats)
        row(name, cells)
        bounds[f"{name}: power 80 % within 3"] = abs(cells[0][0] - 80) <= 3 + 2 * cells[0][1]
    print(f"\n{options.repeats} repeats (bootstrap a tenth, checkpoints a fifth), {time.perf_counter() - start:.0f} s")
    verdict(bounds)


if __name__ == "__main__":
    main()
