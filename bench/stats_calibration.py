"""Does a 5 % test reject 5 %, does a 95 % interval cover 95 %? A table by simulation over designs.

Run from the repository root: ``python -m bench.stats_calibration`` (about a minute; see ``--repeats``).
Every number stands with its Monte Carlo standard error. Columns:

plain t    false positives of the paired t test that takes all items as independent
paired     false positives of ``stats.paired_difference`` on the same data, two equal models
CR1        the same with the usual cluster-robust error and t(G-1)
mean 60%   coverage of ``stats.mean_estimate`` for 0/1 scores of clustered items, 60 % right
mean 98%   the same, 98 % right: mostly Wilson intervals. Most clusters are then all right, and which few
           are not decides the design effect: too narrow wherever the wrong answers sit in a handful
ratio      coverage of ``stats.ratio_estimate``, a word error rate with references of 5 to 25 words
bootstrap  coverage of ``stats.bootstrap_estimate`` (500 resamples) of the 60 % mean, fewer repeats
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

import stats
from stats.influence import cr1, linearise
from stats.intervals import t_critical

LEVEL = 0.95


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


def covers(estimate: stats.Estimate, truth: float) -> bool:
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


def rates(trial: Callable[[], tuple[bool, ...]], repeats: int) -> list[str]:
    """Share of repeats in which each outcome of a trial was true, with its Monte Carlo standard error."""
    share = np.mean([trial() for _ in range(repeats)], axis=0)
    error = np.sqrt(share * (1 - share) / repeats)
    return [f"{100 * s:5.1f} ±{100 * e:.1f}" for s, e in zip(share, error, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, start = np.random.default_rng(options.seed), time.perf_counter()
    titles = ("plain t", "paired", "CR1", "mean 60%", "mean 98%", "ratio", "bootstrap")
    print(f"{'design':<20}", *(f"{title:>10}" for title in titles), "   in %, ± Monte Carlo error")
    for name, (sizes, icc) in DESIGNS.items():
        cluster = np.repeat(np.arange(len(sizes)), sizes)
        cells = [
            *rates(lambda c=cluster, r=icc: differences(rng, c, r), options.repeats),
            *rates(lambda c=cluster, r=icc: mean_covers(rng, c, r, 0.6), options.repeats),
            *rates(lambda c=cluster, r=icc: mean_covers(rng, c, r, 0.98), options.repeats),
            *rates(lambda c=cluster, r=icc: ratio_covers(rng, c, r), options.repeats),
            *rates(lambda c=cluster, r=icc: bootstrap_covers(rng, c, r), options.repeats // 10),
        ]
        print(f"{name:<20}", *(f"{cell:>10}" for cell in cells), flush=True)
    print(f"{options.repeats} repeats (bootstrap {options.repeats // 10}), {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
