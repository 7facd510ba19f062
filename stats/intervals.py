"""Quantiles and tails of t, and the Wilson interval.

From scipy.special: it loads in 0.2 s where scipy.stats takes 0.6 s, and every report imports this.
"""

from __future__ import annotations

import math

from scipy.special import ndtri, stdtr, stdtrit


def t_critical(level: float, df: float) -> float:
    """Two-sided critical value of t(df)."""
    return float(stdtrit(df, 0.5 + level / 2))


def normal_critical(level: float) -> float:
    return float(ndtri(0.5 + level / 2))


def t_upper_tail(t: float, df: float) -> float:
    """P(T > t), by the lower tail at -t, so that it does not vanish where 1 - cdf does."""
    return float(stdtr(df, -t))


def wilson(share: float, n: float, critical: float) -> tuple[float, float]:
    """Wilson's score interval for a share of n (effective, not necessarily whole) 0/1 items."""
    shrink = 1 + critical**2 / n
    centre = (share + critical**2 / (2 * n)) / shrink
    half = critical / shrink * math.sqrt(share * (1 - share) / n + critical**2 / (4 * n**2))
    # At 0 and 1 the exact limit is the share itself; the formula misses it by rounding.
    return (0.0 if share == 0 else centre - half, 1.0 if share == 1 else centre + half)
