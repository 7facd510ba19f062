"""Two models on the same items: differences of means, ratios and macro averages."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from stats.arrays import Labels, Mask, check_level, cluster_codes, is_binary, join_notes, scored, vector
from stats.influence import Linear, Spread, cr2, linearise
from stats.intervals import t_critical, t_upper_tail
from stats.results import Estimate, PairedDifference
from stats.strata import strata_of


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: Labels | None = None,
    *,
    level: float = 0.95,
    margin: float | None = None,
    own_unit: bool = False,
) -> PairedDifference:
    """Mean of a - b over the items scored on both sides, with its clustered t test.

    a, b:   (n,) scores of two models on the same items in the same order, higher is better; pairs in which
            either side is NaN are left out. clusters: (n,) labels as in `mean_estimate`.
    margin: of non-inferiority and equivalence, 0 or more, in the units of the scores. own_unit: as in `mean_estimate`.

    Estimator and degrees of freedom are those of `mean_estimate` on the differences; without clusters this is
    the paired t test. 0/1 scores of independent items also get McNemar's exact mid-p (Fagerland et al. 2013).
    Where all clusters show the same difference (none, mostly) and scores lie in [0, 1], the interval is that which a
    share u of other clusters could make of it, u = 1 - (alpha / 2)^(1 / G): so many are missed by G clusters. Of scores
    on another scale it is unknown.
    """
    left, right = vector(a, "a"), vector(b, "b")
    keep = scored(a=left, b=right)
    left, right = left[keep], right[keep]
    both = np.concatenate([left, right])
    return compare(
        "paired difference of means",
        linearise(left),
        linearise(right),
        keep,
        clusters,
        level=level,
        margin=margin,
        within_one=not own_unit and bool(((both >= 0) & (both <= 1)).all()),
        discordant=(int((left > right).sum()), int((left < right).sum())) if is_binary(both) and not own_unit else None,
    )


def paired_ratio_difference(
    num_a: npt.ArrayLike,
    den_a: npt.ArrayLike,
    num_b: npt.ArrayLike,
    den_b: npt.ArrayLike,
    clusters: Labels | None = None,
    *,
    strata: Labels | None = None,
    weights: Mapping[Hashable, float] | None = None,
    level: float = 0.95,
    margin: float | None = None,
) -> PairedDifference:
    """Difference of two ratios of sums (F1, WER) over the same items, from their influence values.

    num_a, den_a, num_b, den_b: (n,), items with NaN in any are left out. With strata it is the difference of
    the averages over strata (macro F1; with denominators of 1 the macro mean), weights as in
    `stratified_estimate`. Higher is better: where lower is, exchange a and b before asking for a margin.
    """
    columns = {
        "num_a": vector(num_a, "num_a"),
        "den_a": vector(den_a, "den_a"),
        "num_b": vector(num_b, "num_b"),
        "den_b": vector(den_b, "den_b"),
    }
    if weights is not None and strata is None:
        raise ValueError("weights belong to strata: give the stratum of each item as well")
    keep = scored(**columns)
    top_a, bottom_a, top_b, bottom_b = (column[keep] for column in columns.values())
    groups = None if strata is None else strata_of(strata, keep, weights)
    what = "paired difference of ratios of sums"
    if groups is not None:
        how = "macro averages" if weights is None else "weighted means"
        what = f"paired difference of {how} over {len(groups)} strata"
    return compare(
        what,
        linearise(top_a, bottom_a, groups),
        linearise(top_b, bottom_b, groups),
        keep,
        clusters,
        level=level,
        margin=margin,
    )


def compare(
    what: str,
    a: Linear,
    b: Linear,
    keep: Mask,
    clusters: Labels | None,
    *,
    level: float,
    margin: float | None = None,
    within_one: bool = False,
    discordant: tuple[int, int] | None = None,
) -> PairedDifference:
    """a - b of two linearised estimates over the kept items; `clusters` and `keep` are of all items."""
    check_level(level)
    check_margin(margin)
    codes, n_clusters, missing = cluster_codes(clusters, keep)
    n = len(codes)
    diff = a.minus(b)
    spread = Spread(np.nan, np.nan) if diff.problem else cr2(diff, codes, n_clusters)
    value = diff.value
    t = p = noninferior = equivalent = low = high = reduction = np.nan
    method, note = what, ""
    if diff.problem:
        note = f"undefined: {diff.problem}"
    elif spread.problem:
        note = f"its standard error, interval and tests are undefined: {spread.problem}"
    else:
        half = t_critical(level, spread.df) * spread.se
        low, high = value - half, value + half
        unpaired = cr2(a, codes, n_clusters).se ** 2 + cr2(b, codes, n_clusters).se ** 2
        reduction = 1 - spread.se**2 / unpaired if unpaired > 0 else np.nan
        if spread.se > 0:
            t, p, noninferior, equivalent = _t_tests(value, spread.se, spread.df, margin)
            method += f"; t test with {spread.df:.4g} degrees of freedom"
        else:
            t = _t_without_variation(value)
            p, noninferior, equivalent = _without_variation(value, n_clusters, margin, within_one)
            method += "; no test of a mean: the differences do not vary"
            unseen = 1 - ((1 - level) / 2) ** (1 / n_clusters)
            low = high = np.nan
            if within_one:
                low, high = (1 - unseen) * value - unseen, (1 - unseen) * value + unseen
            note = _without_width(value, unseen, level, within_one)
            if margin is not None and math.isnan(noninferior):
                note += "; without variation a margin is tested only for means of scores in [0, 1]"
        if clusters is not None:
            method += f", standard error clustered (CR2, {n_clusters} clusters)"
    return PairedDifference(
        mean_diff=value,
        se=spread.se,
        ci_low=low,
        ci_high=high,
        t=t,
        df=spread.df,
        p_value=p,
        n=n,
        n_clusters=n_clusters,
        correlation=_correlation(a, b),
        variance_reduction=reduction,
        p_noninferior=noninferior,
        p_equivalent=equivalent,
        p_mcnemar=_mcnemar_mid_p(*discordant) if discordant and 0 < n == n_clusters else np.nan,
        method=method,
        note=join_notes(note, missing),
    )


def difference_of(
    found: Estimate, se_a: float, se_b: float, *, level: float, margin: float | None, method: str
) -> PairedDifference:
    """The difference of two statistics whose standard errors come from resampling, tested by t.

    found: the difference as an estimate, with the degrees of freedom of its standard error; se_a, se_b: of each
    side over the same resamples, which give the correlation. Interval and tests go by the same standard error.
    """
    check_margin(margin)
    value, se, df = found.value, found.se, found.df
    t = p = noninferior = equivalent = half = math.nan
    if se > 0:
        half = t_critical(level, df) * se
        t, p, noninferior, equivalent = _t_tests(value, se, df, margin)
    elif se == 0:
        t = _t_without_variation(value)
        p, noninferior, equivalent = _without_variation(value, found.n_clusters, margin, within_one=False)
    unpaired, product = se_a**2 + se_b**2, se_a * se_b
    return PairedDifference(
        mean_diff=value,
        se=se,
        ci_low=value - half,
        ci_high=value + half,
        t=t,
        df=df,
        p_value=p,
        n=found.n,
        n_clusters=found.n_clusters,
        correlation=(unpaired - se**2) / (2 * product) if product > 0 else math.nan,
        variance_reduction=1 - se**2 / unpaired if unpaired > 0 else math.nan,
        p_noninferior=noninferior,
        p_equivalent=equivalent,
        p_mcnemar=math.nan,
        method=method,
        note=found.note,
    )


def check_margin(margin: float | None) -> None:
    if margin is not None and not margin >= 0:
        raise ValueError(f"margin is a distance of 0 or more in the units of the scores, not {margin}")


def _t_tests(value: float, se: float, df: float, margin: float | None) -> tuple[float, float, float, float]:
    """t, its two-sided p, and p of non-inferiority and equivalence (NaN without a margin)."""
    t = value / se
    p = 2 * t_upper_tail(abs(t), df)
    if margin is None:
        return t, p, math.nan, math.nan
    noninferior = t_upper_tail((value + margin) / se, df)
    return t, p, noninferior, max(noninferior, t_upper_tail((margin - value) / se, df))


def _t_without_variation(value: float) -> float:
    return math.copysign(math.inf, value) if value else 0.0


def _without_variation(
    value: float, n_clusters: int, margin: float | None, within_one: bool
) -> tuple[float, float, float]:
    """p of difference, non-inferiority and equivalence where all clusters agree and t is 0/0 or infinite.

    All differ alike: the sign-flip test, of which this is the most extreme of 2^G outcomes (p = 0 would claim
    certainty from two items). None differs: p = 1, and for scores in [0, 1] a true difference of the margin
    or more would need that share of items to differ, which G clusters all miss with at most (1 - margin)^G.
    """
    flip = 0.5**n_clusters
    if value == 0:
        missed = math.nan
        if margin is not None and within_one:
            missed = max(0.0, 1 - margin) ** n_clusters
        return 1.0, missed, missed
    noninferior = equivalent = math.nan
    if margin is not None:
        noninferior = flip if value > -margin else 1.0
        equivalent = flip if abs(value) < margin else 1.0
    return min(1.0, 2 * flip), noninferior, equivalent


def _without_width(value: float, unseen: float, level: float, within_one: bool) -> str:
    """What the interval rests on. unseen: share of clusters that could be others and are missed by all of these."""
    seen = "every cluster differs by the same amount, p is the sign-flip test's" if value else "no cluster differs"
    could = f"up to {unseen:.2%} of clusters could still be others ({level:.0%} confidence)"
    return f"{seen}; {could}" + ("" if within_one else ", and by how much is not known: there is no interval")


def _correlation(a: Linear, b: Linear) -> float:
    product = math.sqrt(float(a.influence @ a.influence) * float(b.influence @ b.influence))
    return float(a.influence @ b.influence) / product if product > 0 else math.nan


def _mcnemar_mid_p(only_a: int, only_b: int) -> float:
    """Exact mid-p of only_a against only_b discordant pairs; 1 without any."""
    n, k = only_a + only_b, min(only_a, only_b)
    # 2 (F(k) - f(k) / 2) = F(k) + F(k - 1), without cancellation; exactly 1 where the two are equal.
    return 1.0 if only_a == only_b else float(bdtr(k, n, 0.5) + (bdtr(k - 1, n, 0.5) if k else 0.0))
