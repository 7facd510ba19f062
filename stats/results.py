"""What the estimators return: plain numbers with the words that a report prints beside them."""

from __future__ import annotations

from dataclasses import dataclass

NO_VARIATION = "its interval is unknown: no variation was seen, which does not say that there is none"

ALIKE = "all scores are equal, so that the design effect is unknown: each cluster counts as one item"


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number with its uncertainty. What is undefined is NaN, with the reason in `note`.

    value:           the estimate, in the units of the scores.
    se:              its standard error.
    ci_low, ci_high: the confidence interval at the level that was asked for.
    df:              degrees of freedom of the t distribution behind the interval.
    n, n_clusters:   scored items, and the clusters that they form (n_clusters = n without clusters).
    design_effect:   variance of the estimate over what it would be with independent items; may be
                     below 1 (negatively correlated items).
    icc:             intraclass correlation inside clusters (ANOVA estimator); NaN without clusters.
    effective_n:     n / design_effect: independent items that would tell as much.
    method, note:    how it was computed; what the reader must know. Both are words for a report.
    """

    value: float
    se: float
    ci_low: float
    ci_high: float
    df: float
    n: int
    n_clusters: int
    design_effect: float
    icc: float
    effective_n: float
    method: str
    note: str = ""

    @property
    def mean(self) -> float:
        return self.value


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Model A minus model B on the same items. What is undefined is NaN.

    mean_diff:          difference of the two estimates (of means, ratios or macro averages).
    se, ci_low, ci_high, t, df, p_value: its standard error, interval and two-sided test of "no difference".
    n, n_clusters:      pairs scored on both sides, and their clusters.
    correlation:        between the two models' items (of influence values; for means Pearson's).
    variance_reduction: 1 - var(diff) / (var(a) + var(b)): what pairing saved of the unpaired variance.
    p_noninferior:      one-sided, small when A is not worse than B by `margin` or more.
    p_equivalent:       two one-sided tests, small when A is within `margin` of B. Both NaN without margin.
    p_mcnemar:          exact mid-p for 0/1 scores of independent items, otherwise NaN.
    """

    mean_diff: float
    se: float
    ci_low: float
    ci_high: float
    t: float
    df: float
    p_value: float
    n: int
    n_clusters: int
    correlation: float
    variance_reduction: float
    p_noninferior: float
    p_equivalent: float
    p_mcnemar: float
    method: str
    note: str = ""

    @property
    def interval(self) -> tuple[float, float]:
        return self.ci_low, self.ci_high
