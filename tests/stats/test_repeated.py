"""Several samples an item: stability, and the questions worth a look."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest

import stats

NAN = math.nan

# Five items, four samples: always right, always wrong in one way, wrong in two ways, wavering, a tie.
SCORES = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]], dtype=float)
ANSWERS = [list("AAAA"), list("BBBB"), list("BBCC"), list("ABCD"), list("AABB")]


def figures(result: stats.Stability) -> dict[str, stats.Estimate]:
    names = ("ea", "ca", "iv", "cr", "between_variance", "worst_case")
    passes = {f"{kind}@{m}": e for kind in ("pass_at_k", "pass_hat_k") for m, e in getattr(result, kind).items()}
    return {name: getattr(result, name) for name in names} | passes


def test_every_figure_by_hand() -> None:
    result = stats.stability(SCORES, ANSWERS)
    assert result.k == 4
    assert {name: round(e.value, 6) for name, e in figures(result).items()} == {
        "ea": round((1 + 0 + 0 + 0.25 + 0.5) / 5, 6),
        "ca": round((1 + 0 + 0 + 0.25 + 0.5) / 5, 6),  # ties take their expected score
        "iv": round((0 + 0 + 0 + 0.25 + 1 / 3) / 5, 6),
        "cr": 2 / 5,
        "between_variance": round(np.var([1, 0, 0, 0.25, 0.5], ddof=1) - (0.25 + 1 / 3) / 4 / 5, 6),
        "worst_case": 1 / 5,
        "pass_at_k@1": 0.35,
        "pass_at_k@2": round((1 + 0.5 + 5 / 6) / 5, 6),
        "pass_at_k@4": 3 / 5,
        "pass_hat_k@1": 0.35,
        "pass_hat_k@2": round((1 + 1 / 6) / 5, 6),
        "pass_hat_k@4": 1 / 5,
    }
    for name, estimate in figures(result).items():
        assert estimate.ci_low < estimate.value < estimate.ci_high, name


def test_consensus_follows_the_answers_and_not_the_scores() -> None:
    scattered = stats.stability([[1, 1, 0, 0, 0]] * 3, [["a", "a", "x", "y", "z"]] * 3)
    assert (scattered.ea.value, scattered.ca.value) == (pytest.approx(0.4), 1)
    united = stats.stability([[1, 1, 0, 0, 0]] * 3, [["a", "a", "x", "x", "x"]] * 3)
    assert united.ca.value == 0


def test_no_answer_is_a_class_of_its_own() -> None:
    result = stats.stability([[0, 0, 1]] * 2, [[None, NAN, "a"], [None, None, "a"]])
    assert (result.ca.value, result.cr.value) == (0, 0)
    assert stats.stability([[0, 0]] * 2, [[None, NAN]] * 2).cr.value == 1


def test_without_answers_consensus_is_unknown() -> None:
    result = stats.stability(SCORES)
    for estimate in (result.ca, result.cr):
        assert math.isnan(estimate.value)
        assert math.isnan(estimate.ci_low)
        assert "no extracted answers" in estimate.note
    assert result.ea.value == 0.35


def test_expected_accuracy_is_the_reports_own_estimate() -> None:
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(20), 5)
    scores = (rng.random((100, 3)) < 0.5).astype(float)
    result = stats.stability(scores, clusters=cluster)
    assert result.ea == stats.mean_estimate(scores.mean(axis=1), cluster)
    assert result.pass_at_k[1].value == pytest.approx(result.ea.value)
    assert result.worst_case.value == pytest.approx(result.pass_hat_k[3].value)
    assert (result.n, result.n_clusters) == (100, 20)
    assert result == stats.stability(scores, clusters=cluster)


def test_unscored_samples_are_left_out_and_counted() -> None:
    gaps = np.vstack([SCORES, [[NAN, NAN, NAN, NAN]], [[1, NAN, NAN, NAN]], [[1, 0, NAN, 1]]])
    answers = [*ANSWERS, list("AAAA"), list("ABBB"), list("ABAA")]
    result = stats.stability(gaps, answers)
    assert "3 of 8 items have unscored samples" in result.note
    assert result.ea.value == pytest.approx((1 + 0.25 + 0.5 + 1 + 2 / 3) / 7)
    assert (result.ea.n, result.iv.n, result.cr.n, result.worst_case.n) == (7, 6, 5, 5)
    assert {m: e.n for m, e in result.pass_at_k.items()} == {1: 7, 2: 6, 4: 5}
    assert result.pass_at_k[2].value == pytest.approx((1 + 0.5 + 5 / 6 + 1) / 6)
    assert result.ca.value == pytest.approx((1 + 0 + 0 + 0.25 + 0.5 + 1 + 1) / 7)  # the unscored do not vote


def test_graded_scores_have_no_pass_rate() -> None:
    result = stats.stability([[0.5, 1.0], [0.2, 0.4], [0.9, 0.9]])
    assert all(math.isnan(e.value) for e in (*result.pass_at_k.values(), *result.pass_hat_k.values()))
    assert "not all 0 or 1" in result.pass_at_k[1].note
    assert result.worst_case.value == pytest.approx((0.5 + 0.2 + 0.9) / 3)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_perfect_steadiness_is_not_certainty(value: float) -> None:
    result = stats.stability(np.full((40, 5), value), [["A"] * 5] * 40)
    assert (result.iv.value, result.cr.value, result.ea.value, result.ca.value) == (0, 1, value, value)
    assert 0.85 < result.cr.ci_low < 0.95  # what 40 items tell, not [1, 1]
    assert "no variation was seen" in result.iv.note


def test_noise_alone_has_a_negative_between_variance_that_is_kept() -> None:
    result = stats.stability(np.tile([[1.0, 0.0], [0.0, 1.0]], (20, 1)))
    assert result.between_variance.value == pytest.approx(-0.25)
    assert "negative" in result.between_variance.note


@pytest.mark.parametrize(
    ("scores", "clusters"), [([[1, 0]], None), ([[1, 0], [1, 1]], ["a", "a"]), ([[NAN] * 2], None)]
)
def test_too_little_for_an_interval_says_so(scores: list, clusters: list | None) -> None:
    result = stats.stability(scores, [["A", "B"]] * len(scores), clusters)
    for name, estimate in figures(result).items():
        assert math.isnan(estimate.ci_low), name
        assert "undefined" in estimate.note, name


def test_results_are_frozen_and_plain() -> None:
    fields = dataclasses.asdict(stats.stability(SCORES, ANSWERS, pass_sizes=[3]))
    assert set(fields["pass_at_k"]) == {3}
    assert type(fields["ea"]["value"]) is float


# --- questions ----------------------------------------------------------------------------------

STEADY_RIGHT, STEADY_WRONG, WAVERING = ([1] * 4, ["A"] * 4), ([0] * 4, ["B"] * 4), ([1, 0, 1, 0], ["A", "C", "A", "C"])


def model(*items: tuple[list, list]) -> stats.ModelSamples:
    return stats.ModelSamples([scores for scores, _ in items], [answers for _, answers in items])


def found(result: stats.QuestionDiagnostics) -> list[tuple[int, str, tuple[str, ...], object]]:
    return [(f.item, f.pattern, f.models, f.answer) for f in result.findings]


def test_each_pattern() -> None:
    result = stats.question_diagnostics(
        {
            "x": model(WAVERING, WAVERING, STEADY_WRONG, STEADY_WRONG, STEADY_RIGHT),
            "y": model(WAVERING, STEADY_RIGHT, STEADY_RIGHT, STEADY_WRONG, STEADY_RIGHT),
        }
    )
    assert found(result) == [
        (3, "suspected_key", ("x", "y"), "B"),
        (0, "ambiguous", ("x", "y"), None),
        (1, "model_weakness", ("x",), None),  # its votes are tied
        (2, "confidently_wrong", ("x",), "B"),
        (3, "confidently_wrong", ("x", "y"), "B"),
    ]
    assert result.counts == {"suspected_key": 1, "ambiguous": 1, "model_weakness": 1, "confidently_wrong": 2}
    assert (result.n, result.note) == (5, "")
    assert result.findings[2].internal_variance == {"x": pytest.approx(1 / 3), "y": 0}


def test_different_wrong_answers_do_not_accuse_the_key() -> None:
    other = ([0] * 4, ["D"] * 4)
    result = stats.question_diagnostics({"x": model(STEADY_WRONG), "y": model(other)})
    assert [(pattern, models, answer) for _, pattern, models, answer in found(result)] == [
        ("confidently_wrong", ("x",), "B"),
        ("confidently_wrong", ("y",), "D"),
    ]


def test_a_wrong_answer_that_changes_or_is_missing_is_not_confident() -> None:
    changing, silent = ([0] * 4, ["B", "B", "B", "C"]), ([0] * 4, [None] * 4)
    assert found(stats.question_diagnostics({"x": model(changing), "y": model(silent)})) == []
    # Most of its answers agree with another's, and none is right: the key may still be wrong.
    both = stats.question_diagnostics({"x": model(changing), "y": model(STEADY_WRONG)})
    assert ("suspected_key", "B") in [(pattern, answer) for _, pattern, _, answer in found(both)]
    assert not stats.question_diagnostics({"x": model(silent), "y": model(silent)}).counts["suspected_key"]


def test_single_samples_tell_of_the_key_only() -> None:
    result = stats.question_diagnostics({"x": ([0, 1], ["B", "A"]), "y": ([0, 0], ["B", "C"])})
    assert found(result) == [(0, "suspected_key", ("x", "y"), "B")]
    assert "one sample an item, so nothing about wavering: x, y" in result.note
    assert math.isnan(result.findings[0].internal_variance["x"])


def test_without_answers_the_papers_patterns_remain() -> None:
    result = stats.question_diagnostics({"x": ([[0, 0], [1, 0]], None), "y": ([[1, 1], [0, 1]], None)})
    assert found(result) == [(1, "ambiguous", ("x", "y"), None), (0, "confidently_wrong", ("x",), None)]
    assert "no answers, so nothing about the answer key: x, y" in result.note


def test_unscored_items_show_no_pattern_of_all_models() -> None:
    lost = ([NAN] * 4, ["B"] * 4)
    result = stats.question_diagnostics({"x": model(lost, WAVERING), "y": model(STEADY_WRONG, lost)})
    assert found(result) == [(0, "confidently_wrong", ("y",), "B")]


def test_one_model_alone_shows_only_what_it_is_confident_of() -> None:
    result = stats.question_diagnostics({"x": model(WAVERING, STEADY_WRONG)})
    assert found(result) == [(1, "confidently_wrong", ("x",), "B")]
    assert "one model" in result.note


def test_the_threshold_is_given() -> None:
    rare = ([1, 1, 1, 1, 1, 1, 1, 1, 1, 0], list("AAAAAAAAAB"))  # variance 0.1
    steady = ([1] * 10, ["A"] * 10)
    given = {"x": model(rare), "y": model(steady)}
    assert found(stats.question_diagnostics(given)) == []
    assert [f.pattern for f in stats.question_diagnostics(given, high_variance=0.1).findings] == ["model_weakness"]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: stats.stability([[1], [0]]), "repeats"),
        (lambda: stats.stability([1, 0]), "repeats"),
        (lambda: stats.stability([[1, 0]], [["A"]]), "shape of the scores"),
        (lambda: stats.stability([[1, 0]], [["A", "B"]] * 2), "shape of the scores"),
        (lambda: stats.stability([[1, 0]], pass_sizes=[3]), "1 to the 2 samples"),
        (lambda: stats.stability([[1, 0]], clusters=["a", "b"]), "one label per item"),
        (lambda: stats.stability([[1, math.inf]]), "NaN instead"),
        (lambda: stats.question_diagnostics({}), "no model"),
        (lambda: stats.question_diagnostics({"x": ([1, 0], None), "y": ([1], None)}), "same items"),
        (lambda: stats.question_diagnostics({"x": ([1, 0], None)}, high_variance=0), "above 0"),
    ],
)
def test_wrong_input_is_refused_with_what_to_do(call: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()
