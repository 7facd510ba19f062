"""Laws that hold for any scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stats

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def clustered(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two models' scores (no ties) and clusters of unequal size, at least two."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=2, max_size=15).filter(lambda s: sum(s) > 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    scores = rng.normal(size=(2, len(cluster))) + draw(st.floats(0, 2)) * rng.normal(size=len(sizes))[cluster]
    return scores[0], scores[1], cluster


def numbers(result: stats.Estimate | stats.PairedDifference) -> list[float]:
    names = [name for name in result.__slots__ if name not in ("method", "note")]
    return [getattr(result, name) for name in names]


def same(a: stats.Estimate | stats.PairedDifference, b: stats.Estimate | stats.PairedDifference) -> None:
    assert numbers(a) == pytest.approx(numbers(b), rel=1e-7, abs=1e-9, nan_ok=True)


@SETTINGS
@given(clustered(), st.floats(-50, 50), st.floats(0.01, 100))
def test_shift_and_scale(data: tuple[np.ndarray, np.ndarray, np.ndarray], shift: float, scale: float) -> None:
    a, b, cluster = data
    plain, moved = stats.mean_estimate(a, cluster), stats.mean_estimate(scale * a + shift, cluster)
    assert moved.value == pytest.approx(scale * plain.value + shift, rel=1e-7, abs=1e-7)
    assert moved.ci_low == pytest.approx(scale * plain.ci_low + shift, rel=1e-7, abs=1e-7)
    assert (moved.se, moved.df) == (pytest.approx(scale * plain.se, rel=1e-6), pytest.approx(plain.df))
    assert moved.design_effect == pytest.approx(plain.design_effect, rel=1e-6)
    before = stats.paired_difference(a, b, cluster, margin=0.5)
    after = stats.paired_difference(scale * a + shift, scale * b + shift, cluster, margin=0.5 * scale)
    assert after.mean_diff == pytest.approx(scale * before.mean_diff, rel=1e-6, abs=1e-9 * scale)
    assert [
        after.p_value,
        after.p_noninferior,
        after.p_equivalent,
        after.variance_reduction,
    ] == pytest.approx([before.p_value, before.p_noninferior, before.p_equivalent, before.variance_reduction], rel=1e-5)


@SETTINGS
@given(clustered(), st.randoms(use_true_random=False))
def test_order_of_items_does_not_matter(data: tuple[np.ndarray, np.ndarray, np.ndarray], random: object) -> None:
    a, b, cluster = data
    order = list(range(len(a)))
    random.shuffle(order)  # type: ignore[attr-defined]
    weights = np.abs(b) + 0.1
    strata = np.where(np.arange(len(a)) % 2, "odd", "even")
    for function, columns in (
        (stats.mean_estimate, (a, cluster)),
        (stats.ratio_estimate, (a, weights, cluster)),
        (stats.stratified_estimate, (a, strata, cluster)),
        (stats.paired_difference, (a, b, cluster)),
        (stats.paired_ratio_difference, (a, weights, b, weights + 1, cluster)),
    ):
        same(function(*columns), function(*(column[order] for column in columns)))


@SETTINGS
@given(clustered())
def test_one_item_per_cluster_is_no_clustering(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    a, b, _ = data
    own = [f"picture {i}" for i in range(len(a))]
    same(stats.mean_estimate(a, own), stats.mean_estimate(a))
    same(stats.ratio_estimate(a, np.abs(b) + 0.1, own), stats.ratio_estimate(a, np.abs(b) + 0.1))
    same(stats.paired_difference(a, b, own), stats.paired_difference(a, b))


@SETTINGS
@given(clustered())
def test_doubling_every_item_inside_its_cluster_adds_no_information(
    data: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    a, b, cluster = data
    once = stats.mean_estimate(a, cluster)
    twice = stats.mean_estimate(np.tile(a, 2), np.tile(cluster, 2))
    assert [twice.value, twice.se, twice.df] == pytest.approx([once.value, once.se, once.df], rel=1e-9, abs=1e-12)
    pair, pairs = (stats.paired_difference(np.tile(a, k), np.tile(b, k), np.tile(cluster, k)) for k in (1, 2))
    assert [pairs.se, pairs.p_value] == pytest.approx([pair.se, pair.p_value], rel=1e-7)


@SETTINGS
@given(clustered())
def test_exchanging_the_models_changes_the_sign_only(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    a, b, cluster = data
    there, back = stats.paired_difference(a, b, cluster), stats.paired_difference(b, a, cluster)
    assert (there.mean_diff, there.ci_low, there.p_value) == (-back.mean_diff, -back.ci_high, back.p_value)


@SETTINGS
@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), max_size=30))
def test_adjusted_p_values_are_never_smaller_and_keep_their_order(p: list[float]) -> None:
    raw = np.array(p, dtype=float)
    known = ~np.isnan(raw)
    holm, bh = stats.adjust_pvalues(raw), stats.adjust_pvalues(raw, "bh")
    assert (raw[known] <= bh[known] * (1 + 1e-12)).all()
    assert (bh[known] <= holm[known] * (1 + 1e-12)).all()
    order = np.argsort(raw[known], kind="stable")
    assert (np.diff(holm[known][order]) >= 0).all()
