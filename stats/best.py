"""The best of several checkpoints: an estimate corrected for having been selected, and what could be the best."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from stats.arrays import Codes, Labels, Mask, Vector, check_level, cluster_codes, is_binary, is_share, join_notes
from stats.estimates import estimate_linear
from stats.intervals import t_upper_tail
from stats.series import Scores, Series, few_clusters, series_of
from stats.strata import Strata
from stats.wild import Sums, critical_value, group_clusters, p_value, random_signs, sums_of, t_draws

# Random halves of the clusters in which the selection is repeated.
_SPLITS = 500


@dataclass(frozen=True, slots=True)
class BestCheckpoint:
    """The checkpoint with the highest score and what is left of it after selection. Unknown is NaN.

    best:            its name (the earlier one of two that are equal).
    value:           its score on these items, too high because it was chosen for it.
    corrected:       the same, corrected; selection_bias = value - corrected.
    ci_low, ci_high: interval that holds whichever checkpoint was chosen (simultaneous over all of them).
    candidates:      the checkpoints not distinguishable from the best: the true best is among them with
                     probability `level`; `best` always is.
    p_is_best:       checkpoint -> p-value of "no other is better"; candidates have more than 1 - level.
    n, n_clusters:   items scored for all checkpoints, and their clusters.
    """

    best: Hashable
    value: float
    corrected: float
    selection_bias: float
    ci_low: float
    ci_high: float
    level: float
    candidates: tuple[Hashable, ...]
    p_is_best: dict[Hashable, float]
    n: int
    n_clusters: int
    method: str
    note: str = ""


def best_checkpoint(
    scores_by_checkpoint: Scores,
    clusters: Labels | None = None,
    *,
    seed: int,
    level: float = 0.95,
    higher_is_better: bool = True,
    denominators: Scores | None = None,
    strata: Labels | None = None,
    weights: Mapping[Hashable, float] | None = None,
    resamples: int = 4000,
) -> BestCheckpoint:
    """Which checkpoint is best, how good it is without the luck of being chosen, and which others could be.

    Arguments as in `simultaneous_band`; only items that all checkpoints have a score for are used. Corrected
    value: the selection is repeated in 500 random halves of the clusters, the chosen one measured on the other
    half each time, and the values averaged (repeated split sample, as in model selection by cross-validation:
    Tsamardinos et al., Machine Learning 107, 2018). It estimates what such a selection yields: for 20 equal
    checkpoints it came to the true value on average, their maximum to 3-9 points more. Half the items choose a
    little worse than all, so that it leans to the low side. Candidates: a checkpoint is left out when
    another is better by more than the largest one-sided t over all others reaches by chance (multiple
    comparisons with the best: Hsu, Annals of Statistics 9, 1981), by the bootstrap of the band.
    Raises ValueError as `simultaneous_band` does, and where no item is scored for all.
    """
    check_level(level)
    series = series_of(scores_by_checkpoint, denominators, strata, weights)
    names, keep = series.names, series.scored(*series.names)
    codes, n_clusters, missing = cluster_codes(clusters, keep)
    linears = [series.linear(name, keep) for name in names]
    for name, linear in zip(names, linears, strict=True):
        if linear.problem:
            raise ValueError(
                f"no value of {name} to choose by, on the {len(codes)} items that all checkpoints have a score for: "
                f"{linear.problem}. Leave out the checkpoint that lacks them"
            )
    sign = 1.0 if higher_is_better else -1.0
    first = int(np.argmax([sign * linear.value for linear in linears]))
    rng = np.random.default_rng(seed)
    grouped, groups = group_clusters(codes, n_clusters, rng)
    sums = [found for linear in linears if (found := sums_of(linear, grouped, groups, sign)) is not None]
    value, corrected, simultaneous = linears[first].value, math.nan, level
    p_is_best = np.full(len(names), math.nan)
    top, bottom = series.tops[names[first]][keep], series.bottoms[names[first]][keep]
    zero_one = denominators is None and is_binary(top)
    interval = partial(
        estimate_linear,
        "",
        linears[first],
        np.ones(len(codes), dtype=np.bool_),
        codes,
        binary=zero_one and strata is None,
        share=zero_one and strata is not None if denominators is None else is_share(top, bottom),
    )
    if len(sums) == len(names):
        signs = random_signs(groups, resamples, rng)
        p_is_best = np.array([_p_is_best(j, sums, signs) for j in range(len(names))])
        totals = _totals(series, keep, linears[0].strata, grouped, groups)
        corrected = sign * _split_samples(sign * totals[0], totals[1], linears[0].strata.weights, rng)
        df = interval(level=level).df
        critical = critical_value(np.abs(t_draws(signs, sums)).max(axis=1), level, df)
        simultaneous = 1 - 2 * t_upper_tail(critical, df)
    chosen = interval(level=simultaneous) if simultaneous < 1 else None
    left_out = int(series.scored_by_any().sum()) - len(codes)
    return BestCheckpoint(
        best=names[first],
        value=value,
        corrected=corrected,
        selection_bias=value - corrected,
        ci_low=chosen.ci_low if chosen else math.nan,
        ci_high=chosen.ci_high if chosen else math.nan,
        level=level,
        candidates=tuple(name for name, p in zip(names, p_is_best, strict=True) if not p <= 1 - level),
        p_is_best=dict(zip(names, p_is_best.tolist(), strict=True)),
        n=len(codes),
        n_clusters=n_clusters,
        method=f"best of {len(names)}; corrected by {_SPLITS} random halves; interval simultaneous over all, "
        f"candidates by multiple comparisons with the best, wild cluster bootstrap ({resamples} resamples)",
        note=join_notes(
            ""
            if len(sums) == len(names)
            else "nothing but the name and its score is known: fewer than two clusters, in all or in one stratum",
            f"{left_out} items that some checkpoint has no score for were left out" if left_out else "",
            few_clusters(n_clusters) if len(sums) == len(names) else "",
            missing,
        ),
    )


def _p_is_best(j: int, sums: list[Sums], signs: Vector) -> float:
    """p of "no other is better than checkpoint j": the largest t of another minus j, one-sided."""
    others = [other.minus(sums[j]) for k, other in enumerate(sums) if k != j]
    t = max(_t(difference) for difference in others)
    if math.isinf(t) and t > 0:  # better by the same in every cluster: all signs alike, once for each other
        return min(1.0, len(others) * 0.5 ** len(sums[j].scale))
    return p_value(t_draws(signs, others).max(axis=1), t)


def _t(difference: Sums) -> float:
    if difference.se > 0:
        return difference.value / difference.se
    return math.copysign(math.inf, difference.value) if difference.value else 0.0


def _totals(series: Series, keep: Mask, strata: Strata, cluster: Codes, n_clusters: int) -> tuple[Vector, Vector]:
    """Numerators and denominators summed by cluster, checkpoint and stratum, (G, K, H) each."""
    cell = cluster * len(strata) + strata.codes
    length = n_clusters * len(strata)

    def summed(columns: dict[Hashable, Vector]) -> Vector:
        sums = [np.bincount(cell, column[keep], length).reshape(n_clusters, -1) for column in columns.values()]
        return np.stack(sums, axis=1)

    return summed(series.tops), summed(series.bottoms)


def _split_samples(tops: Vector, bottoms: Vector, weights: Vector, rng: np.random.Generator) -> float:
    """Mean over random halves of the clusters of what the half's best scores on the other half."""
    groups = len(tops)
    ranks = rng.permuted(np.tile(np.arange(groups), (_SPLITS, 1)), axis=1)
    halves = np.concatenate([ranks < groups // 2, ranks >= groups // 2]).astype(np.float64)
    shape = (len(halves), *tops.shape[1:])

    def by_checkpoint(side: Vector) -> Vector:
        over = (side @ bottoms.reshape(groups, -1)).reshape(shape)
        under = (side @ tops.reshape(groups, -1)).reshape(shape)
        ratio: Vector = np.divide(under, over, out=np.full(shape, math.nan), where=over > 0)
        return ratio @ weights

    here, there = by_checkpoint(halves), by_checkpoint(1 - halves)
    usable = ~np.isnan(here).any(axis=1) & ~np.isnan(there).any(axis=1)
    if not usable.any():
        return math.nan
    here, there = here[usable], there[usable]
    return float(there[np.arange(len(there)), here.argmax(axis=1)].mean())
