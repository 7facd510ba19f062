"""What the scale of a metric allows to say: shares lie in [0, 1], steps and seconds do not."""

import math

import numpy as np
import pytest

import stats


def test_a_share_of_the_whole_has_an_interval_inside_of_the_scale() -> None:
    said_yes = np.array([1, 1, 1, 0, 0, 0, 0, 0.0])
    perfect = stats.ratio_estimate(said_yes, said_yes)  # precision 1 of three positives among eight items
    assert perfect.value == perfect.ci_high == 1
    assert perfect.ci_low < 0.5  # of three, and not of eight
    assert "Wilson interval on 3 effective items" in perfect.method
    words = stats.ratio_estimate([3, 1, 0, 2], [2, 2, 2, 2])  # an error rate may exceed 1
    assert words.ci_high > 1
    same = stats.ratio_estimate([1, 2, 3], [2, 4, 6])  # every item the same share: nothing varies, nothing is 0 or 1
    assert same.value == 0.5
    assert math.isnan(same.ci_low + same.ci_high)
    assert "its interval is unknown: no variation was seen" in same.note


@pytest.mark.parametrize("clusters", [None, ["a", "a", "b", "b", "c", "c"]])
def test_steps_and_seconds_are_no_shares_whatever_values_they_have(clusters) -> None:
    """60 steps in every episode do not promise a sixty-first of 60; and none invalid is no 0 of 6 questions."""
    for values in ([60.0] * 6, [0.0] * 6, [1.0] * 6):
        ones = np.ones(6)
        for found in (
            stats.mean_estimate(values, clusters, own_unit=True),
            stats.ratio_estimate(values, ones, clusters, own_unit=True),
            stats.stratified_estimate(values, list("xxxyyy"), clusters, own_unit=True),
        ):
            assert found.value == values[0]
            assert math.isnan(found.ci_low), found.method
            assert math.isnan(found.ci_high)
            assert "Wilson" not in found.method
            assert "unknown: no variation was seen" in found.note
    few = stats.mean_estimate([0, 0, 0, 1, 0, 0], clusters, own_unit=True)
    assert "Wilson" not in few.method
    assert few.ci_low < 0 < few.value < few.ci_high, "the interval of t, which knows no scale"
    assert "Wilson" in stats.mean_estimate([0, 0, 0, 1, 0, 0], clusters).method


def test_a_difference_of_steps_that_never_varies_has_no_interval() -> None:
    same = stats.paired_difference([1.0] * 20, [0.0] * 20, own_unit=True, margin=0.5)
    assert (same.mean_diff, math.isnan(same.ci_low), math.isnan(same.ci_high)) == (1, True, True)
    assert math.isnan(same.p_mcnemar)
    assert "there is no interval" in same.note
    assert same.p_value == pytest.approx(2 * 0.5**20), "that they differ is shown all the same"
    assert stats.paired_difference([1.0] * 20, [0.0] * 20).ci_low > 0.5
    macro = stats.stratified_estimate([1, 1, 1, 0, 1, 1], ["a"] * 3 + ["b"] * 3)
    assert 0 <= macro.ci_low < macro.value < macro.ci_high <= 1
    pair = stats.mean_estimate([1, 1, 1, 0, 1, 1, 0, 0], ["x", "x", "x", "x", "y", "y", "y", "y"])
    assert 0 <= pair.ci_low < pair.ci_high <= 1  # t(1) alone: [-1.0, 2.2]
