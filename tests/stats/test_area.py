"""The mean height of a curve."""

from __future__ import annotations

import numpy as np
import pytest

from stats import height_weights


def test_weights_make_the_trapezoidal_rule():
    x = np.array([1.0, 2.0, 4.0, 4.5])
    y = np.array([0.2, 0.5, 0.4, 0.9])
    assert height_weights(list(x)) @ y == pytest.approx(np.trapezoid(y, x) / (x[-1] - x[0]))
    assert height_weights(list(x)).sum() == pytest.approx(1)
    assert height_weights([3.0]) == [1.0]


@pytest.mark.parametrize("positions", [[], [1.0, 1.0], [2.0, 1.0]])
def test_positions_must_ascend(positions):
    with pytest.raises(ValueError, match="ascending"):
        height_weights(positions)
