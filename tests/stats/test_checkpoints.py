"""The band of a learning curve and the choice of the best checkpoint."""

import dataclasses
import json
import math

import numpy as np
import pytest

import stats

NAN = math.nan
CLUSTER = np.repeat(np.arange(60), 5)


def run(*shares: float, seed: int = 1) -> dict[str, np.ndarray]:
    """0/1 scores of a checkpoint for each share right; items are as hard for each."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 0.5, 60)[CLUSTER] + rng.normal(0, 1, 300)
    cuts = np.quantile(hard, shares)
    return {f"step {i}": (hard + rng.normal(0, 0.4, 300) < cut).astype(float) for i, cut in enumerate(cuts)}


LEARNING = run(0.2, 0.4, 0.6, 0.7, 0.72, 0.71, 0.7)


def test_the_band_has_the_numbers_of_the_paired_difference_and_is_wider() -> None:
    band = stats.simultaneous_band(LEARNING, CLUSTER, seed=1)
    assert (band.baseline, band.n_clusters, band.note) == ("step 0", 60, "")
    assert [point.checkpoint for point in band.points] == [f"step {i}" for i in range(1, 7)]
    for point in band.points:
        alone = stats.paired_difference(LEARNING[point.checkpoint], LEARNING["step 0"], CLUSTER)
        assert (point.mean_diff, point.se, point.p_value) == pytest.approx((alone.mean_diff, alone.se, alone.p_value))
        assert point.band_low < point.ci_low < point.ci_high < point.band_high
        assert point.p_adjusted >= point.p_value
    assert band.significant == tuple(f"step {i}" for i in range(1, 7))


@pytest.mark.parametrize(("seed", "surviving"), [(2, ("step 2", "step 4")), (6, ())])
def test_changes_that_survive_are_those_whose_band_leaves_out_zero(seed: int, surviving: tuple[str, ...]) -> None:
    band = stats.simultaneous_band(run(0.6, 0.6, 0.63, 0.66, 0.7, 0.6, seed=seed), CLUSTER, seed=2)
    outside = tuple(p.checkpoint for p in band.points if not p.band_low <= 0 <= p.band_high)
    assert band.significant == outside == surviving
    if not surviving:  # by itself step 4 would have been called a change: p = 0.012
        assert min(p.p_value for p in band.points) < 0.02 < 0.05 < min(p.p_adjusted for p in band.points)


def test_another_baseline_turns_the_differences_round() -> None:
    to_last = stats.simultaneous_band(LEARNING, CLUSTER, seed=1, baseline="step 6")
    assert to_last.points[0].checkpoint == "step 0"
    first = stats.simultaneous_band(LEARNING, CLUSTER, seed=1)
    assert to_last.points[0].mean_diff == pytest.approx(-first.points[-1].mean_diff)


def test_the_seed_decides() -> None:
    noise = np.random.default_rng(9).normal(0, 0.1, (7, 300))  # without ties
    scores = {name: values + noise[i] for i, (name, values) in enumerate(LEARNING.items())}
    first, again, other = (stats.simultaneous_band(scores, CLUSTER, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first.critical != other.critical
    chosen, same = (stats.best_checkpoint(LEARNING, CLUSTER, seed=1) for _ in range(2))
    assert chosen == same


def test_a_step_that_lacks_scores_is_compared_on_what_it_has() -> None:
    gaps = {name: scores.copy() for name, scores in LEARNING.items()}
    gaps["step 2"][:100] = NAN
    gaps["step 3"][:] = NAN
    band = stats.simultaneous_band(gaps, CLUSTER, seed=1)
    partly, lost = band.points[1], band.points[2]
    alone = stats.paired_difference(gaps["step 2"], gaps["step 0"], CLUSTER)
    assert (partly.n, partly.n_clusters) == (200, 40)
    assert (partly.mean_diff, partly.se) == pytest.approx((alone.mean_diff, alone.se))
    assert all(math.isnan(x) for x in (lost.mean_diff, lost.se, lost.band_low, lost.p_value, lost.p_adjusted))
    assert "no scored item" in lost.note
    assert "step 3" not in band.significant


def test_a_checkpoint_equal_to_the_baseline_in_every_item() -> None:
    band = stats.simultaneous_band({**LEARNING, "copy": LEARNING["step 0"]}, CLUSTER, seed=1)
    copy = band.points[-1]
    assert (copy.mean_diff, copy.se, copy.p_adjusted) == (0, 0, 1)
    # Nothing to draw: its own interval, at the level of one in seven.
    assert copy.ci_high == pytest.approx(1 - 0.025 ** (1 / 60))
    assert (copy.band_low, copy.band_high) == (-copy.band_high, pytest.approx(1 - (0.025 / 7) ** (1 / 60)))
    assert "no cluster differs" in copy.note
    assert band.critical == stats.simultaneous_band(LEARNING, CLUSTER, seed=1).critical
    only = stats.simultaneous_band({"a": [1, 0, 1], "b": [1, 0, 1]}, seed=1)
    assert math.isnan(only.critical)
    assert only.significant == ()


def test_few_clusters_are_said_to_be_few_and_one_tells_nothing() -> None:
    few = stats.simultaneous_band(LEARNING, CLUSTER % 8, seed=1)
    assert "approximate: 8 clusters" in few.note
    assert few.critical > stats.simultaneous_band(LEARNING, CLUSTER, seed=1).critical
    two = stats.simultaneous_band(LEARNING, CLUSTER % 2, seed=1)
    assert all(math.isnan(p.band_low) or p.band_high - p.band_low > 0.5 for p in two.points)
    one = stats.simultaneous_band(LEARNING, CLUSTER * 0, seed=1)
    assert all(math.isnan(p.band_low) and math.isnan(p.p_adjusted) and "one cluster" in p.note for p in one.points)
    assert one.points[0].mean_diff == pytest.approx(float((LEARNING["step 1"] - LEARNING["step 0"]).mean()))
    best = stats.best_checkpoint(LEARNING, CLUSTER * 0, seed=1)
    assert best.candidates == tuple(LEARNING)  # nothing can be ruled out
    assert all(math.isnan(x) for x in (best.corrected, best.selection_bias, best.ci_low, *best.p_is_best.values()))
    assert "fewer than two clusters" in best.note


def test_the_best_is_shrunk_and_the_plateau_is_not_told_apart() -> None:
    best = stats.best_checkpoint(LEARNING, CLUSTER, seed=1)
    assert best.best in ("step 3", "step 4", "step 5", "step 6")
    assert best.value == max(float(scores.mean()) for scores in LEARNING.values())
    assert 0 < best.selection_bias == pytest.approx(best.value - best.corrected)
    assert best.best in best.candidates
    assert {"step 0", "step 1", "step 2"}.isdisjoint(best.candidates)
    assert len(best.candidates) > 1
    single = stats.mean_estimate(LEARNING[best.best], CLUSTER)
    assert best.ci_low < single.ci_low < best.corrected < single.ci_high < best.ci_high


def test_a_clear_winner_needs_no_correction() -> None:
    best = stats.best_checkpoint(run(0.2, 0.3, 0.9, 0.25), CLUSTER, seed=1)
    assert best.candidates == (best.best,) == ("step 2",)
    assert best.selection_bias == pytest.approx(0, abs=1e-3)


def test_lower_is_better_is_the_mirror_image() -> None:
    wrong = {name: 1 - scores for name, scores in LEARNING.items()}
    up = stats.best_checkpoint(LEARNING, CLUSTER, seed=1)
    down = stats.best_checkpoint(wrong, CLUSTER, seed=1, higher_is_better=False)
    assert (down.best, down.candidates, down.p_is_best) == (up.best, up.candidates, up.p_is_best)
    assert [down.value, down.corrected, down.ci_low, down.ci_high] == pytest.approx(
        [1 - up.value, 1 - up.corrected, 1 - up.ci_high, 1 - up.ci_low]
    )


def test_all_right_is_not_certainty() -> None:
    perfect = {"a": np.ones(40), "b": np.ones(40), "c": np.r_[np.zeros(5), np.ones(35)]}
    best = stats.best_checkpoint(perfect, seed=1)
    assert (best.best, best.value, best.corrected, best.ci_high) == ("a", 1, 1, 1)
    assert 0.8 < best.ci_low < 0.95
    assert {"a", "b"} <= set(best.candidates)


def test_ratios_and_strata_take_the_estimators_of_their_kind() -> None:
    rng = np.random.default_rng(3)
    words, split = rng.integers(5, 20, 300), np.tile(["x", "y", "z"], 100)
    errors = {f"step {i}": rng.binomial(words, rate) for i, rate in enumerate((0.4, 0.3, 0.2, 0.2))}
    lengths = dict.fromkeys(errors, words)
    band = stats.simultaneous_band(errors, CLUSTER, seed=1, denominators=lengths, strata=split)
    last = stats.paired_ratio_difference(errors["step 3"], words, errors["step 0"], words, CLUSTER, strata=split)
    assert (band.points[2].mean_diff, band.points[2].se) == pytest.approx((last.mean_diff, last.se))
    assert 2 < band.critical < 3
    best = stats.best_checkpoint(
        errors, CLUSTER, seed=1, denominators=lengths, strata=split, weights={"x": 2, "y": 1, "z": 1},
        higher_is_better=False,
    )  # fmt: skip
    expected = stats.stratified_estimate(
        errors[best.best], split, CLUSTER, denominator=words, weights={"x": 2, "y": 1, "z": 1}
    )
    assert best.value == pytest.approx(expected.value)
    assert set(best.candidates) == {"step 2", "step 3"}
    assert best.corrected > best.value  # fewer errors than it would make again


def test_more_clusters_than_are_drawn_change_the_width_little() -> None:
    rng = np.random.default_rng(4)
    scores = {k: rng.normal(size=9000) for k in range(4)}
    many = stats.simultaneous_band(scores, np.repeat(np.arange(4500), 2), seed=1)
    assert many.n_clusters == 4500
    assert many.critical == pytest.approx(2.35, abs=0.05)  # Dunnett's for three comparisons


def test_results_are_plain_and_can_be_stored() -> None:
    band = dataclasses.asdict(stats.simultaneous_band(LEARNING, CLUSTER, seed=1))
    best = dataclasses.asdict(stats.best_checkpoint(LEARNING, CLUSTER, seed=1))
    assert json.loads(json.dumps(band, allow_nan=False))["points"][0]["checkpoint"] == "step 1"
    assert json.loads(json.dumps(best, allow_nan=False))["best"] == best["best"]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: stats.simultaneous_band({"a": [1, 0]}, seed=1), "two or more checkpoints"),
        (lambda: stats.simultaneous_band({"a": [1, 0], "b": [1]}, seed=1), "lengths"),
        (lambda: stats.simultaneous_band({"a": [1, 0], "b": [1, 1]}, seed=1, baseline="c"), "none of the checkpoints"),
        (lambda: stats.simultaneous_band({"a": [1, 0], "b": [1, 1]}, seed=1, resamples=10), "resamples"),
        (lambda: stats.best_checkpoint({"a": [1, 0], "b": [1, 1]}, seed=1, resamples=10), "resamples"),
        (lambda: stats.simultaneous_band({"a": [1, 0], "b": [1, 1]}, seed=1, level=95), "0.95"),
        (lambda: stats.simultaneous_band({"a": [1], "b": [1]}, seed=1, denominators={"a": [1]}), "same checkpoints"),
        (lambda: stats.simultaneous_band({"a": [1], "b": [1]}, seed=1, weights={"x": 1}), "stratum"),
        (lambda: stats.best_checkpoint({"a": [1, NAN], "b": [NAN, 1]}, seed=1), "Leave out"),
        (lambda: stats.best_checkpoint({"a": [1, 0]}, seed=1), "two or more checkpoints"),
        (lambda: stats.best_checkpoint({"a": [1, 0], "b": [1, 0]}, ["x"], seed=1), "one label per item"),
    ],
)
def test_wrong_input_is_refused_with_what_to_do(call: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()  # type: ignore[operator]
