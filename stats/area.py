"""The mean height of a curve that was measured at a few places, on the same items at each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def height_weights(positions: Sequence[float]) -> npt.NDArray[np.float64]:
    """(m,) weights, summing to 1, with which values at ascending positions make the area under the straight lines
    between them, divided by the length of the axis (trapezoidal rule). One position: weight 1.
    """
    x = np.asarray(positions, float)
    if len(x) < 1 or np.any(np.diff(x) <= 0):
        raise ValueError("expected one or more ascending positions")
    if len(x) == 1:
        return np.ones(1)
    steps = np.diff(x)
    return np.asarray((np.r_[steps, 0.0] + np.r_[0.0, steps]) / 2 / (x[-1] - x[0]))
