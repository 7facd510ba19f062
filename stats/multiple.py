"""Many comparisons at once."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from stats.arrays import Vector, vector


def adjust_pvalues(p: npt.ArrayLike, method: Literal["holm", "bh"] = "holm") -> Vector:
    """p-values, shape (m,), adjusted for their number: compare them with the level as they are.

    "holm" holds the chance of any false positive (family-wise), "bh" (Benjamini-Hochberg) the expected
    share of false ones among the positives. NaN (no test was possible) stays NaN and is not counted.
    Written out here because statsmodels, which has both, takes a second to import; the tests compare.
    """
    raw = vector(p, "p")
    known = np.flatnonzero(~np.isnan(raw))
    if ((raw[known] < 0) | (raw[known] > 1)).any():
        raise ValueError("p-values lie between 0 and 1")
    order = known[np.argsort(raw[known], kind="stable")]
    m = len(order)
    rank = np.arange(1, m + 1)
    adjusted = np.full_like(raw, np.nan)
    if method == "holm":
        adjusted[order] = np.minimum(1, np.maximum.accumulate((m - rank + 1) * raw[order]))
    elif method == "bh":
        adjusted[order] = np.minimum(1, np.minimum.accumulate((m / rank * raw[order])[::-1])[::-1])
    else:
        raise ValueError(f'method is "holm" or "bh", not {method!r}')
    return adjusted
