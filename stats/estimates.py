"""One model: means, ratios of sums and macro averages with their intervals."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

import numpy as np
import numpy.typing as npt

from stats.arrays import (
    Codes,
    Labels,
    Mask,
    Vector,
    check_level,
    cluster_codes,
    is_binary,
    is_share,
    join_notes,
    scored,
    vector,
)
from stats.influence import Linear, Spread, cr2, linearise
from stats.intervals import normal_critical, t_critical, wilson
from stats.results import ALIKE, NO_VARIATION, Estimate
from stats.strata import strata_of

# Below this many effective items right (or wrong) a t interval for a 0/1 mean is too far off.
_FEW = 10
# Clusters with the rarer outcome that are counted on top of those seen, as if each were all wrong (all right).
_UNSEEN = 2


def mean_estimate(
    scores: npt.ArrayLike, clusters: Labels | None = None, *, level: float = 0.95, own_unit: bool = False
) -> Estimate:
    """Mean score with a confidence interval.

    scores:   (n,), one an item; NaN is unscored: left out, never 0.
    clusters: (n,) labels (any hashables); items with one label are not independent. None: all are. An item
              whose label is None or NaN is a cluster of its own, and the note says how many are.
    own_unit: scores are seconds, steps or the like and no shares of 1, whatever values they happen to have.

    Standard error and t interval by CR2 with Bell-McCaffrey degrees of freedom; without clusters that is
    sd / sqrt(n) with t(n-1). 0/1 scores of which fewer than 10 effective items are right or wrong, or whose t
    interval leaves [0, 1], get the Wilson interval: on the number of clusters where the design effect is undefined
    or 0 (all right, all wrong), otherwise on n / D', ln D' = (k ln D + 2 ln D_max) / (k + 2). D is the design effect
    as estimated from k clusters with the rarer outcome, D_max that of clusters which are right or wrong as a whole:
    few wrong answers in one cluster do not tell whether the next is wrong altogether (without this an interval for
    98 % right in 20 clusters covers 87 %, with it 95 % or more: `bench/stats_calibration.py`). Independent items
    have D' = 1.
    With clusters the critical value is that of t, since D is estimated from them.
    Where no variation was seen and no such bound is known (all took 60 steps), the interval is unknown.
    Raises ValueError for infinite scores, arrays of different length, a level outside (0, 1).
    """
    values = vector(scores, "scores")
    keep = scored(scores=values)
    values = values[keep]
    binary = not own_unit and is_binary(values)
    return estimate_linear("mean", linearise(values), keep, clusters, level=level, binary=binary)


def ratio_estimate(
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    clusters: Labels | None = None,
    *,
    level: float = 0.95,
    own_unit: bool = False,
) -> Estimate:
    """Ratio of sums, sum(numerator) / sum(denominator), with its linearised standard error.

    numerator, denominator: (n,), items with NaN in either are left out; clusters and own_unit as in `mean_estimate`.
    Corpus WER is errors over reference words, F1 is 2 TP over 2 TP + FP + FN. A denominator that sums to
    0 gives NaN; a negative one is an error.

    A share of the whole (no item's numerator is below 0 or above its denominator: precision, F1) has an interval
    inside of [0, 1]: that of t where it stays inside and 10 effective items or more are on either side, else Wilson's
    on p (1 - p) / se^2 effective items with t's critical value, as surveys do for a share in a domain whose size is
    random (Korn and Graubard, Survey Methodology 24, 1998; Dean and Pagano, Journal of Survey Statistics and
    Methodology 3, 2015). Where nothing varies (all right, all wrong) clusters count as items, by the share of the
    denominator that they hold: 1 / sum of squared shares. Seconds an event (own_unit) are no share.
    """
    top, bottom = vector(numerator, "numerator"), vector(denominator, "denominator")
    keep = scored(numerator=top, denominator=bottom)
    top, bottom = top[keep], bottom[keep]
    share = not own_unit and is_share(top, bottom)
    return estimate_linear("ratio of sums", linearise(top, bottom), keep, clusters, level=level, share=share)


def stratified_estimate(
    scores: npt.ArrayLike,
    strata: Labels,
    clusters: Labels | None = None,
    *,
    denominator: npt.ArrayLike | None = None,
    weights: Mapping[Hashable, float] | None = None,
    level: float = 0.95,
    own_unit: bool = False,
) -> Estimate:
    """Weighted mean over strata of each stratum's mean, or of its ratio of sums with a denominator.

    scores:  (n,), NaN is unscored; with a denominator (n,) they are the numerators.
    strata:  (n,) labels. A stratum without a scored item makes the value NaN (and is named).
    weights: one positive weight a stratum, scaled to sum to 1; None: equal ones (the macro average).

    The variance comes from influence values summed per cluster across strata, since strata may share
    clusters (three splits of questions on the same pictures). Of shares of a whole, and of 0/1 scores, the interval
    stays inside of [0, 1] as in `ratio_estimate`. own_unit as in `mean_estimate`.
    """
    top = vector(scores, "scores")
    bottom = np.ones_like(top) if denominator is None else vector(denominator, "denominator")
    keep = scored(scores=top, denominator=bottom)
    groups = strata_of(strata, keep, weights)
    what = (
        f"{'macro average' if weights is None else 'weighted mean'} over {len(groups)} strata "
        f"of {'means' if denominator is None else 'ratios of sums'}"
    )
    top, bottom = top[keep], bottom[keep]
    share = not own_unit and (is_binary(top) if denominator is None else is_share(top, bottom))
    return estimate_linear(what, linearise(top, bottom, groups), keep, clusters, level=level, share=share)


def estimate_linear(
    what: str,
    linear: Linear,
    keep: Mask,
    clusters: Labels | None,
    *,
    level: float,
    binary: bool = False,
    share: bool = False,
) -> Estimate:
    """A linearised estimate over the kept items with its interval; `clusters` and `keep` are of all items.

    binary: a mean of 0/1 scores, see `mean_estimate`; share: a share of a whole, see `ratio_estimate`.
    """
    check_level(level)
    codes, n_clusters, missing = cluster_codes(clusters, keep)
    n = len(codes)
    spread = Spread(np.nan, np.nan) if linear.problem else cr2(linear, codes, n_clusters)
    low = high = effect = icc = np.nan
    method, note = what, ""
    if linear.problem:
        note = f"undefined: {linear.problem}"
    elif spread.problem:
        note = f"its standard error and interval are undefined: {spread.problem}"
    else:
        effect = _design_effect(linear, spread.se, clustered=clusters is not None)
        critical = t_critical(level, spread.df)
        low, high = linear.value - critical * spread.se, linear.value + critical * spread.se
        items = n if binary else _worth(linear, spread.se, effect) if share else math.nan
        units = items / effect if effect > 0 else n_clusters if binary else _even_clusters(linear, codes, n_clusters)
        fewer = round(min(linear.value, 1 - linear.value) * units, 9)  # 10 of 100 are not 9.999...
        inside = fewer >= _FEW and low >= 0 and high <= 1
        halfway = spread.se == 0 and 0 < linear.value < 1  # every item has the same share: not 0/1 items
        if (binary or (share and not halfway)) and not inside:
            if effect > 0:
                units = _cautious_units(linear, codes, n_clusters, effect, items)
            if binary and clusters is None:
                critical = normal_critical(level)
            low, high = wilson(linear.value, units, critical)
            method += f"; Wilson interval on {units:.4g} {'effective ' * (share or clusters is not None)}items"
            if n_clusters < n and math.isnan(effect):
                note = ALIKE
        else:
            method += f"; t interval with {spread.df:.4g} degrees of freedom" if spread.se > 0 else "; no interval"
            if spread.se == 0:  # of no width, it would promise that the next item is like these
                low, high, note = np.nan, np.nan, NO_VARIATION
        if clusters is not None:
            icc = _icc(linear.influence, codes, n_clusters)
            method += f", standard error clustered (CR2, {n_clusters} clusters)"
    return Estimate(
        value=linear.value,
        se=spread.se,
        ci_low=low,
        ci_high=high,
        df=spread.df,
        n=n,
        n_clusters=n_clusters,
        design_effect=effect,
        icc=icc,
        effective_n=n / effect if effect > 0 else np.inf if effect == 0 else np.nan,
        method=method,
        note=join_notes(note, missing),
    )


def _design_effect(linear: Linear, se: float, clustered: bool) -> float:
    """Squared ratio of the standard error to that of independent items; NaN where that one is 0."""
    n = len(linear.influence)
    alone = cr2(linear, np.arange(n, dtype=np.intp), n).se if clustered else se
    return (se / alone) ** 2 if alone > 0 else math.nan


def _worth(linear: Linear, se: float, effect: float) -> float:
    """0/1 items, independent, whose share would be known as well as this one if these items were independent."""
    return linear.value * (1 - linear.value) / se**2 * effect if se > 0 else math.nan


def _even_clusters(linear: Linear, codes: Codes, n_clusters: int) -> float:
    """Clusters of equal weight that these are worth: 1 / sum of squared weights."""
    weight = np.bincount(codes, linear.share * linear.strata.weights[linear.strata.codes], n_clusters)
    return float(1 / (weight @ weight))


def _cautious_units(linear: Linear, codes: Codes, n_clusters: int, effect: float, items: float) -> float:
    """What `items` independent ones are worth in these clusters when one outcome is rare: see `mean_estimate`."""
    n = len(codes)
    rarer = linear.influence < 0 if linear.value > 0.5 else linear.influence > 0
    seen = len(np.unique(codes[rarer]))
    sizes = np.bincount(codes, minlength=n_clusters)
    largest = max(effect, float(sizes @ sizes) / n)
    log_effect = (seen * math.log(effect) + _UNSEEN * math.log(largest)) / (seen + _UNSEEN)
    return items / math.exp(log_effect)


def _icc(values: Vector, codes: Codes, n_clusters: int) -> float:
    """Intraclass correlation of values that sum to 0, by analysis of variance; may be negative.

    (MSB - MSW) / (MSB + (m - 1) MSW), m the cluster size corrected for unequal sizes (Donner 1986,
    International Statistical Review 54).
    """
    n = len(values)
    if n == n_clusters:
        return math.nan
    sizes = np.bincount(codes, minlength=n_clusters)
    between = float(np.sum(np.bincount(codes, values, n_clusters) ** 2 / sizes))
    mean_between = between / (n_clusters - 1)
    mean_within = (float(values @ values) - between) / (n - n_clusters)
    size = (n - float(sizes @ sizes) / n) / (n_clusters - 1)
    total = mean_between + (size - 1) * mean_within
    return (mean_between - mean_within) / total if total > 0 else math.nan
