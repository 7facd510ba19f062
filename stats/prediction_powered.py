"""The mean of human verdicts from a few of them and a judge's verdicts on all items."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stats.arrays import Codes, Labels, Vector, check_level, cluster_codes, join_notes, scored, vector
from stats.estimates import estimate_linear, mean_estimate
from stats.influence import Linear, linearise
from stats.results import Estimate
from stats.strata import Strata

# Labels (or clusters that hold some) below which the normal theory behind the interval is thin.
_FEW = 20


@dataclass(frozen=True, slots=True)
class PredictionPowered:
    """What a judge's mean is worth, and what it is corrected by.

    estimate:  of the mean that humans would give to all items.
    judge:     the judge's own mean over all items: what it would be trusted with.
    human:     the mean of the labelled items' human verdicts alone.
    bias:      judge minus human on the labelled items.
    weight:    lambda, how far the judge is used: 0 not at all, 1 as plain prediction-powered inference does.
    gain:      1 - (width of `estimate` / width of `human`): what the judge saved of the interval.
    n_labelled, n: items with a human verdict (and the judge's), items with the judge's.
    """

    estimate: Estimate
    judge: Estimate
    human: Estimate
    bias: Estimate
    weight: float
    gain: float
    n_labelled: int
    n: int


def prediction_powered_mean(
    judge: npt.ArrayLike,
    human: npt.ArrayLike,
    clusters: Labels | None = None,
    *,
    weight: float | None = None,
    level: float = 0.95,
) -> PredictionPowered:
    """Mean human verdict over all items, with an interval that holds however bad the judge is.

    judge: (n,) verdicts, NaN unscored: the item is left out. human: (n,) verdicts, NaN where nobody looked. The items
    with a human verdict (or their clusters) must be a random draw, else the estimate is of items such as those.
    clusters: as in `mean_estimate`. weight: lambda; None: the one with the least variance, in [0, 1].

    With L the labelled and U the other items the estimate is mean_L(human - lambda judge) + lambda mean_U(judge)
    (Angelopoulos, Bates, Fannjiang, Jordan, Zrnic, Science 382, 2023), lambda as in PPI++ (Angelopoulos, Duchi,
    Zrnic 2023, arXiv 2311.01453), here over clusters: with a_c and b_c the influence sums of cluster c on mean_L(human)
    and on mean_U(judge) - mean_L(judge), lambda = -sum a_c b_c / sum b_c^2. Without clusters that is their
    cov(human, judge) / ((1 + |L| / |U|) var(judge)). The standard error is that of an average over the two strata L and
    U, which may share clusters: CR2 with Bell-McCaffrey degrees of freedom. Where lambda is estimated from the same
    labels, it is that of the residuals of one more parameter: variances of L count m / (m - 1) more, m its clusters.
    At lambda = 0 or with every item labelled it is the mean of the human verdicts.
    """
    check_level(level)
    said, truth = vector(judge, "judge"), vector(human, "human")
    if len(said) != len(truth):
        raise ValueError(f"one verdict of each per item, but there are {len(said)} of the judge and {len(truth)} human")
    keep = scored(judge=said)
    codes, n_clusters, _ = cluster_codes(clusters, keep)
    said, truth = said[keep], truth[keep]
    labelled = ~np.isnan(truth)
    count, n = int(labelled.sum()), len(said)
    own = mean_estimate(said, codes if clusters is not None else None, level=level)
    groups = codes if clusters is not None else None
    alone = mean_estimate(truth, groups, level=level)
    bias = mean_estimate(np.where(labelled, said - truth, np.nan), groups, level=level)
    if count < 2 or count == n:
        chosen, powered = (math.nan if count < 2 else 0.0), alone
    else:
        tuned = weight is None
        chosen = _weight(said, truth, labelled, codes, n_clusters) if weight is None else float(weight)
        powered = _powered(said, truth, labelled, groups, chosen, level, tuned=tuned)
    return PredictionPowered(
        estimate=replace(powered, note=join_notes(powered.note, _note(labelled, codes, count))),
        judge=own,
        human=alone,
        bias=bias,
        weight=chosen,
        gain=_gain(powered, alone),
        n_labelled=count,
        n=n,
    )


def _weight(said: Vector, truth: Vector, labelled: npt.NDArray[np.bool_], codes: Codes, n_clusters: int) -> float:
    """The lambda of least variance, clipped to [0, 1]; 0 where the judge does not vary."""
    part, rest = labelled / labelled.sum(), ~labelled / (~labelled).sum()
    shown = np.where(labelled, truth, 0.0)
    on_truth = part * (shown - part @ shown)
    on_judge = rest * (said - rest @ said) - part * (said - part @ said)
    a, b = np.bincount(codes, on_truth, n_clusters), np.bincount(codes, on_judge, n_clusters)
    size = float(b @ b)
    return float(np.clip(-(a @ b) / size, 0.0, 1.0)) if size > 0 else 0.0


def _powered(
    said: Vector, truth: Vector, labelled: npt.NDArray[np.bool_], groups: Codes | None, weight: float, level: float,
    *, tuned: bool,
) -> Estimate:  # fmt: skip
    # Twice the average of two strata is the sum of their means.
    values = 2 * np.where(labelled, truth - weight * said, weight * said)
    strata = Strata(labelled.astype(np.intp), ("unlabelled", "labelled"), np.array([0.5, 0.5]))
    linear = linearise(np.nan_to_num(values), strata=strata)
    if tuned and weight > 0:
        linear = _one_parameter_more(linear, labelled, groups)
    found = estimate_linear(
        "prediction-powered mean", linear, np.ones(len(said), dtype=np.bool_), groups, level=level
    )  # fmt: skip
    return replace(found, design_effect=math.nan, icc=math.nan, effective_n=math.nan)


def _one_parameter_more(linear: Linear, labelled: npt.NDArray[np.bool_], groups: Codes | None) -> Linear:
    """The residuals of the labelled items at the size they have where lambda is not fitted to them."""
    m = len(np.unique(groups[labelled])) if groups is not None else int(labelled.sum())
    factor = math.sqrt((m - 1) / (m - 2)) if m > 2 else math.nan
    return replace(linear, influence=np.where(labelled, factor * linear.influence, linear.influence))


def _note(labelled: npt.NDArray[np.bool_], codes: Codes, count: int) -> str:
    if count == 0:
        return "nobody looked at any item"
    clusters = len(np.unique(codes[labelled]))
    if clusters >= _FEW:
        return ""
    what = f"{count} labels" if clusters == count else f"{count} labels in {clusters} clusters"
    return f"{what}: few for an interval"


def _gain(powered: Estimate, alone: Estimate) -> float:
    width, before = powered.ci_high - powered.ci_low, alone.ci_high - alone.ci_low
    return 1 - width / before if before > 0 else math.nan
