"""How many items a comparison needs, and what the items that there are can show.

n = (z_{alpha/2} + z_power)^2 * (omega2 * D + var_a / k_a + var_b / k_b) / effect^2, with the design effect
D = 1 + ((cv^2 + 1) * m - 1) * ICC for clusters of mean size m and coefficient of variation cv of their sizes
(Miller 2024, arXiv 2411.00640; D: Eldridge, Ashby and Kerry, International Journal of
Epidemiology 35, 2006). Noise within items is independent, so no design effect multiplies it.
"""

from __future__ import annotations

import math

from scipy.special import ndtri


def sample_size(
    effect: float,
    *,
    omega2: float,
    var_a: float = 0,
    var_b: float = 0,
    k_a: int = 1,
    k_b: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
    icc: float = 0,
    cluster_size: float = 1,
    cluster_size_cv: float = 0,
) -> int:
    """Items that a paired, two-sided test at `alpha` needs to see a true difference of `effect` with `power`.

    effect:       in the units of the scores (0.02: two points), above 0.
    omega2:       variance over items of the difference between the two models' true scores.
    var_a, var_b: mean variance of one answer's score within an item; k_a, k_b: answers sampled per item.
    icc:          of the true differences inside clusters, at most 1; may be negative.
    cluster_size: mean items a cluster, 1 or more; cluster_size_cv: standard deviation (population) over mean.
    `variance_components(...).planning()` gives omega2 to cluster_size_cv. A normal approximation: with fewer
    than some 30 clusters more are needed. Raises ValueError outside these ranges and where nothing varies.
    """
    if not 0 < effect < math.inf:
        raise ValueError(f"effect is a difference above 0 in the units of the scores, such as 0.02, not {effect}")
    variance = _variance_of_a_pair(omega2, var_a, var_b, k_a, k_b, icc, cluster_size, cluster_size_cv)
    # What is a whole number but for rounding is that number.
    return max(1, math.ceil(round((_quantiles(alpha, power) / effect) ** 2 * variance, 9)))


def minimum_detectable_effect(
    n: float,
    *,
    omega2: float,
    var_a: float = 0,
    var_b: float = 0,
    k_a: int = 1,
    k_b: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
    icc: float = 0,
    cluster_size: float = 1,
    cluster_size_cv: float = 0,
) -> float:
    """The smallest true difference that n items show with `power`: the inverse of `sample_size`."""
    if not 1 <= n < math.inf:
        raise ValueError(f"n is a number of items, 1 or more, not {n}")
    variance = _variance_of_a_pair(omega2, var_a, var_b, k_a, k_b, icc, cluster_size, cluster_size_cv)
    return _quantiles(alpha, power) * math.sqrt(variance / n)


def design_effect(icc: float, cluster_size: float, cluster_size_cv: float = 0) -> float:
    """Variance over that of as many independent items: 1 + ((cv^2 + 1) * m - 1) * ICC."""
    return 1 + ((cluster_size_cv**2 + 1) * cluster_size - 1) * icc


def _variance_of_a_pair(
    omega2: float,
    var_a: float,
    var_b: float,
    k_a: int,
    k_b: int,
    icc: float,
    cluster_size: float,
    cluster_size_cv: float,
) -> float:
    for name, value in {"omega2": omega2, "var_a": var_a, "var_b": var_b, "cluster_size_cv": cluster_size_cv}.items():
        if not 0 <= value < math.inf:
            raise ValueError(
                f"{name} must be 0 or more, not {value}: an estimate that is negative or unknown tells that the data "
                "cannot separate it; variance_components(...).planning() gives values to plan with"
            )
    for name, value in {"k_a": k_a, "k_b": k_b, "cluster_size": cluster_size}.items():
        if not 1 <= value < math.inf:
            raise ValueError(f"{name} must be 1 or more, not {value}")
    if not -1 <= icc <= 1:
        raise ValueError(f"icc is a correlation, -1 to 1, not {icc}")
    effect = design_effect(icc, cluster_size, cluster_size_cv)
    if effect < 0:
        raise ValueError(f"icc {icc} is impossible in clusters of {cluster_size}: the design effect would be {effect}")
    variance = omega2 * effect + var_a / k_a + var_b / k_b
    if variance == 0:
        raise ValueError("nothing varies, so that any number of items would do: give omega2, or var_a and var_b")
    return variance


def _quantiles(alpha: float, power: float) -> float:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is a probability such as 0.05, not {alpha}")
    if not alpha / 2 < power < 1:
        raise ValueError(f"power is a probability above alpha / 2, such as 0.8, not {power}")
    return float(ndtri(1 - alpha / 2) + ndtri(power))
