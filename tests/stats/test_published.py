"""Figures that others published, from real answers and real judgements."""

import json
from pathlib import Path

import numpy as np
import pytest

import stats

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data (real answers and labels) is not here"),
]

# LLaVA-Bench's questions come in the order of its 24 pictures. The judge's files do not name the picture:
# where one ends is read off the questions.
WILD_PICTURES = np.repeat(range(24), [4, 4, 3, 3, 2, 3, 2, 2, 2, 2, 5, 2, 1, 1, 3, 2, 2, 2, 2, 2, 2, 3, 3, 3])


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def wild(model: str) -> tuple[np.ndarray, np.ndarray]:
    """Sums over the three judge runs of the model's and the reference's score, (60,) each."""
    folder = DATA / "judge_repeats" / "llava-bench-in-the-wild" / "reviews"
    runs = [lines(folder / f"{model}-eval{run}.jsonl") for run in (1, 2, 3)]
    assert all([row["question_id"] for row in run] == list(range(60)) for run in runs)
    pairs = np.array([[row["content"].split("\n")[0].split() for row in run] for run in runs], dtype=float)
    reference, scores = pairs.sum(axis=0).T
    return scores, reference


def test_llava_bench_is_a_ratio_of_sums() -> None:
    large, small = wild("llava-v1.5-13b"), wild("llava-v1.5-7b")
    results = [stats.ratio_estimate(*scores, WILD_PICTURES) for scores in (large, small)]
    assert [round(100 * r.value, 2) for r in results] == [72.55, 65.47]
    assert [(r.n, r.n_clusters) for r in results] == [(60, 24)] * 2
    # By picture the interval is 19 points wide; as if each question stood alone it would be 16.
    assert [(round(100 * r.ci_low, 1), round(100 * r.ci_high, 1)) for r in results] == [(63.2, 81.9), (55.8, 75.2)]
    for (scores, reference), result in zip((large, small), results, strict=True):
        boot = stats.bootstrap_estimate(
            lambda top, bottom: float(top.sum() / bottom.sum()), (scores, reference), WILD_PICTURES, seed=1
        )
        assert boot.se == pytest.approx(result.se, rel=0.1)
        assert stats.ratio_estimate(scores, reference).se < 0.9 * result.se
    difference = stats.paired_ratio_difference(*large, *small, WILD_PICTURES)
    assert difference.mean_diff == pytest.approx(0.7255 - 0.6547, abs=1e-4)
    assert difference.variance_reduction > 0.3


@pytest.mark.parametrize(
    ("model", "runs", "regraded"), [("13b", [36.1, 36.5, 36.3], 16), ("7b", [31.2, 30.8, 31.2], 12)]
)
def test_mm_vets_three_judge_runs_and_their_spread(model: str, runs: list[float], regraded: int) -> None:
    folder = DATA / "judge_repeats" / "mm-vet"
    graded = json.loads((folder / "results" / f"llava-v1.5-{model}_gpt-4-grade-3runs.json").read_text())
    picture = {f"v1_{row['question_id']}": row["image"] for row in lines(folder / "llava-mm-vet.jsonl")}
    grades = np.array([row["score"] for row in graded.values()])
    result = stats.stability(grades, grades, [picture[item] for item in graded])
    assert np.round(100 * grades.mean(axis=0), 1).tolist() == runs
    assert round(100 * float(grades.mean(axis=0).std()), 1) == 0.2  # as published
    assert (result.k, result.n, result.n_clusters) == (3, 218, 200)
    assert result.ea.value == pytest.approx(np.mean(runs) / 100, abs=5e-4)
    assert result.cr.value == pytest.approx(1 - regraded / 218)
    assert result.cr.ci_low < result.cr.value < result.cr.ci_high
    # Which questions were asked decides the score's error (six points either way), not the judge's mood.
    assert result.ea.ci_high - result.ea.ci_low > 0.1
    assert result.iv.value < 0.02 * result.between_variance.value


def pope(labels: str) -> dict[str, np.ndarray]:
    """True positives and so on by item (NaN where the labels lack the question), its split and picture."""
    folder = DATA / "pope"
    truth = {
        (split, row["image"], row["text"]): row["label"]
        for split in ("random", "popular", "adversarial")
        for row in lines(folder / labels / f"coco_pope_{split}.json")
    }
    answers = {row["question_id"]: row["text"] for row in lines(folder / "llava-v1.5-13b_answers.jsonl")}
    rows = lines(folder / "llava_pope_test.jsonl")
    label = np.array([truth.get((r["category"], r["image"], r["text"].split("\n")[0]), "missing") for r in rows])
    said_yes = np.array([answers[r["question_id"]].strip().lower().startswith("yes") for r in rows])
    is_yes = np.where(label == "missing", np.nan, label == "yes")
    return {
        "tp": is_yes * said_yes,
        "either": is_yes + said_yes,  # 2 TP + FP + FN
        "split": np.array([r["category"] for r in rows]),
        "picture": np.array([r["image"] for r in rows]),
    }


def test_pope_macro_f1_and_its_standard_error_over_shared_pictures() -> None:
    data = pope("coco_2023-05")
    numerator, denominator, split = 2 * data["tp"], data["either"], data["split"]
    f1 = {
        name: stats.ratio_estimate(numerator[split == name], denominator[split == name]).value
        for name in ("random", "popular", "adversarial")
    }
    assert {name: round(100 * value, 2) for name, value in f1.items()} == {
        "random": 87.14,
        "popular": 86.25,
        "adversarial": 84.46,
    }
    picture = data["picture"]
    by_picture = stats.ratio_estimate(*(x[split == "random"] for x in (numerator, denominator, picture)))
    assert (by_picture.n_clusters, round(100 * by_picture.ci_low, 1), round(100 * by_picture.ci_high, 1)) == (
        500,
        85.8,
        88.4,
    )
    macro = stats.stratified_estimate(numerator, split, picture, denominator=denominator)
    assert (round(100 * macro.value, 2), macro.n, macro.n_clusters) == (85.95, 8910, 500)
    assert macro.se == pytest.approx(0.0066, abs=5e-5)
    apart = stats.stratified_estimate(numerator, split, apart_by_split(data), denominator=denominator)
    assert apart.se == pytest.approx(0.0039, abs=5e-5)
    boot = stats.bootstrap_estimate(
        lambda top, bottom, s: float(np.mean([top[s == k].sum() / bottom[s == k].sum() for k in f1])),
        (numerator, denominator, split),
        picture,
        seed=1,
        resamples=300,
    )
    assert boot.se == pytest.approx(macro.se, rel=0.1)


def test_pope_macro_accuracy_has_an_error_of_half_a_point_and_not_of_a_third() -> None:
    """The splits share their pictures: to treat them as independent hides two fifths of the error."""
    data = pope("coco_2023-05")
    right = data["either"] != 1
    assert stats.stratified_estimate(right, data["split"], data["picture"]).se == pytest.approx(0.0055, abs=5e-5)
    assert stats.stratified_estimate(right, data["split"], apart_by_split(data)).se == pytest.approx(0.0033, abs=5e-5)


def apart_by_split(data: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    return list(zip(data["split"].tolist(), data["picture"].tolist(), strict=True))


def test_pope_questions_without_a_label_are_unscored() -> None:
    data = pope("coco_head")
    macro = stats.stratified_estimate(2 * data["tp"], data["split"], data["picture"], denominator=data["either"])
    assert macro.n == 8910 - 246
    assert round(100 * macro.value, 2) == 86.04
