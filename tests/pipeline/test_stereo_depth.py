"""Depth questions on the real stereo picture, from the photograph to the report."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from task_defs import load_task, open_source
from task_defs.catalog.stereo_depth.points import depth_of, pairs, spots
from tests.conftest import Reply

MEDIA = Path(__file__).parents[3] / "shared" / "data" / "media"
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def rows():
    if not (MEDIA / "scikit_image" / "motorcycle_disp.npz").is_file():
        pytest.skip(f"no real stereo pair in {MEDIA}")
    return [row.doc for row in open_source(load_task("stereo_depth"), [MEDIA]).rows()]


@pytest.fixture(scope="module")
def disparity(rows):
    with np.load(MEDIA / "scikit_image" / "motorcycle_disp.npz") as file:
        return file["arr_0"]


def test_the_depths_are_those_of_a_garage(disparity):
    """Middlebury's calibration: disparities from 7 to 60 pixels are 2.1 to 5.0 m."""
    assert depth_of(float(np.nanmax(disparity[np.isfinite(disparity)]))) == pytest.approx(2.11, abs=0.01)
    assert depth_of(float(np.nanmin(disparity))) == pytest.approx(5.02, abs=0.01)


def test_points_lie_on_surfaces_and_in_no_two_questions(disparity):
    found = spots(disparity)
    paired = list(pairs(found))
    assert len(paired) == 36
    used = [spot for _, *two in paired for spot in two]
    assert len(used) == len(set(used))
    for gap, near, far in paired:
        assert disparity[near.row, near.column] > disparity[far.row, far.column]
        assert far.depth / near.depth >= 1 + gap / 100
    for spot in used:
        around = disparity[spot.row - 4 : spot.row + 5, spot.column - 4 : spot.column + 5]
        assert around.max() - around.min() <= 0.03 * around.min()


def test_neither_letter_nor_place_gives_the_answer_away(rows, disparity):
    answers = [row["answer"] for row in rows if row["kind"] == "nearer"]
    assert answers.count("A") == answers.count("B") == 18
    lower = [near.row > far.row for _, near, far in pairs(spots(disparity))]
    assert sum(lower) == 18


def test_the_points_are_marked_where_they_are(rows):
    from PIL import Image

    plain = np.asarray(Image.open(MEDIA / "scikit_image" / "motorcycle_left.png").convert("RGB")).astype(int)
    for row in rows[:3]:
        marked = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))).astype(int)
        changed = (abs(marked - plain).max(axis=2) > 90).mean()
        assert 0 < changed < 0.01


def test_from_the_picture_to_the_report(bench, endpoint, rows, monkeypatch):
    monkeypatch.setenv("EVAL_DATA", str(MEDIA))
    truths = {}
    for row in rows:
        truths.setdefault(row["image"]["bytes"], row["answer"])
    answers = [row["answer"] for row in rows]
    assert len(truths) == len(rows), "each question has a picture of its own"
    endpoint.answer = lambda seen, number: Reply("A" if "Two points" in seen.text else "2.4")
    report = bench.report(load_task("stereo_depth"))
    by = report["by"]["kind"]
    assert by["nearer"]["mra"]["value"] == 0.5, "always A is a coin"
    wanted = np.mean([(abs(2.4 - float(a)) / float(a) <= 1 - np.linspace(0.5, 0.95, 10)).mean() for a in answers[36:]])
    assert by["depth"]["mra"]["value"] == pytest.approx(wanted)
    assert report["metrics"]["overall"]["value"] == pytest.approx((0.5 + wanted) / 2)
    assert 0.45 < report["metrics"]["overall"]["chance"] < 0.55
    assert set(report["by"]["gap"]) == {"10", "20", "40"}
    assert report["ordered"] == ["gap"]
