"""A judge against people: labels from a file or a column, and what the report makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval_assets.pipeline.human_labels import import_labels
from eval_assets.pipeline.importing import ImportRefused
from eval_assets.pipeline.planning import need_of
from eval_assets.reporting import cell_markdown
from eval_assets.reporting.judging import judging_lines
from tests.conftest import Reply, Seen
from tests.pipeline.conftest import Judged

N = 40


def _number(text: str) -> int:
    return int(text.partition("Question ")[2].partition("?")[0])


@pytest.fixture
def said(judged: Judged, rows: Any) -> Judged:
    """40 answers; the truth is that even ones are right, and the judge is wrong about every fifth."""
    judged.folder.rows(rows(N))
    judged.answers = lambda question: f"yes to {question}" + " and so on" * (_number(question) % 7)

    def verdict(request: Seen) -> Reply:
        i = _number(request.text)
        right = (i % 2 == 0) != (i % 5 == 0)
        return Reply(json.dumps({"grade": "correct" if right else "incorrect"}))

    judged.verdict = verdict
    return judged


def graded(judged: Judged, **more: Any) -> Any:
    return judged.task(grades={"correct": 1, "incorrect": 0}, **more)


def labels(path: Path, ids: range, *, odd: str = "incorrect", even: str = "correct") -> Path:
    lines = ["item_id,label", *(f"q{i},{odd if i % 2 else even}" for i in ids)]
    path.write_text("\n".join(lines) + "\n")
    return path


def keep(judged: Judged, path: Path, task: Any) -> Any:
    return import_labels(judged.bench.store, path, task, "m", id_field="item_id", label_field="label")


def test_labels_of_a_file_re_report_and_ask_nobody(said: Judged, tmp_path: Path) -> None:
    task = graded(said)
    report = said.bench.report(task)
    assert report["judging"]["calibration"] is None
    assert "Not held against people" in cell_markdown(report)
    asked = len(said.endpoint.seen)
    kept = keep(said, labels(tmp_path / "people.csv", range(0, 30)), task)
    assert (kept.labels, kept.items) == (30, N)
    assert need_of(said.bench.store, "m", task).stage == "statistical_report"
    report = said.bench.report(task)
    assert len(said.endpoint.seen) == asked
    found = report["judging"]["calibration"]
    # 30 labels, 6 of them on items that are multiples of five: 24 of 30 agree.
    assert found["agreement"]["agreement"]["value"] == pytest.approx(24 / 30)
    assert found["agreement"]["kappa"]["value"] == pytest.approx(0.6, abs=0.02)
    assert found["agreement"]["confusion"] == ((12, 3), (3, 12))
    assert found["powered"]["n_labelled"] == 30
    powered = found["powered"]["estimate"]
    assert powered["ci_low"] < 0.5 < powered["ci_high"]
    page = cell_markdown(report)
    assert "agrees with people beyond chance" in page
    assert "| human | judge 0 | judge 1 |" in page


def test_a_judge_at_chance_is_exposed(said: Judged, tmp_path: Path) -> None:
    said.verdict = lambda request: Reply(
        json.dumps({"grade": "correct" if _number(request.text) // 2 % 2 else "incorrect"})
    )
    task = graded(said)
    said.scored(task)
    keep(said, labels(tmp_path / "people.csv", range(N)), task)
    block = said.bench.report(task)["judging"]
    kappa = block["calibration"]["agreement"]["kappa"]
    assert kappa["ci_low"] < 0 < kappa["ci_high"]
    assert any("do not rely on its scores" in line for line in judging_lines(block))


def test_a_column_of_the_data_may_hold_the_verdicts(said: Judged, rows: Any) -> None:
    said.folder.rows([{**row, "person": "correct" if i % 2 == 0 else "incorrect"} for i, row in enumerate(rows(N))])
    report = said.bench.report(graded(said, human="{{ doc.person }}"))
    assert report["judging"]["calibration"]["powered"]["n_labelled"] == N
    assert report["judging"]["length"]["given_human"] is not None


def test_a_judge_that_likes_long_answers_shows_it_given_the_human_verdict(said: Judged, tmp_path: Path) -> None:
    said.verdict = lambda request: Reply(
        json.dumps({"grade": "correct" if _number(request.text) % 7 > 3 else "incorrect"})
    )
    task = graded(said)
    said.scored(task)
    keep(said, labels(tmp_path / "people.csv", range(N)), task)
    bias = said.bench.report(task)["judging"]["length"]["given_human"]
    assert bias["value"] > 0.7
    assert bias["ci_low"] > 0.5


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["q1,correct", "nobody,correct"], r"1 ids of people.csv are no item of birds \(such as 'nobody'\).*nothing"),
        (["q1,correct", "q1,incorrect"], "row 2: item 'q1' is there twice"),
        (["q1,splendid"], "item 'q1': 'splendid' is no verdict of this judge: expected one of correct, incorrect"),
        (["q1,"], "has no verdict in 'label'"),
    ],
)  # fmt: skip
def test_a_wrong_label_file_is_refused_whole(
    said: Judged, tmp_path: Path, lines: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = graded(said)
    said.bench.cell(task)
    path = Path("people.csv")
    path.write_text("\n".join(["item_id,label", *lines]) + "\n")
    with pytest.raises(ImportRefused, match=told):
        keep(said, path, task)
    assert said.bench.report(task)["judging"]["calibration"] is None


def test_runs_and_a_panel_are_told_in_the_report(said: Judged) -> None:
    said.configure(a=said.entry("a"), b=said.entry("b"))
    first = said.verdict
    said.verdict = lambda request: first(request) if request.body["model"] == "a" else Reply('{"grade": "correct"}')
    report = said.bench.report(graded(said, model=["a", "b"], samples=2))
    block = report["judging"]
    assert len(block["runs"]) == 2
    assert block["items_changed"] == 0
    assert block["panel"]["alpha"]["value"] < 0.2
    assert block["panel"]["means"]["b"]["value"] == 1
    assert block["replies"] == {"asked": 4 * N, "read": 4 * N}
    assert "Krippendorff" in cell_markdown(report)


def test_a_judge_of_pairs_shows_its_position_bias_with_intervals(said: Judged, rows: Any, tmp_path: Path) -> None:
    said.folder.rows([{**row, "old": "an older answer"} for row in rows(N)])

    def verdict(request: Seen) -> Reply:
        if _number(request.text) % 4 == 0:  # whatever stands first
            return Reply('{"verdict": "A"}')
        ours_first = "[Answer A]\nyes" in request.text
        return Reply(json.dumps({"verdict": "A" if ours_first else "B"}))

    said.verdict = verdict
    task = said.folder.task(
        judge={"name": "llm_pairwise", "baseline": "{{ doc.old }}"},
        metric_list=[{"metric": "win_rate"}, {"metric": "tie"}],
    )
    report = said.bench.report(task)
    assert report["metrics"]["win_rate"]["value"] == pytest.approx(0.875)
    assert report["metrics"]["tie"]["value"] == pytest.approx(0.25)
    position = report["judging"]["position"]
    assert position["swap_disagrees"]["value"] == pytest.approx(0.25)
    assert position["swap_disagrees"]["ci_low"] > 0.1
    assert position["first_wins"]["value"] == pytest.approx(0.5 * 0.75 + 0.25)
    assert position["first_wins"]["ci_low"] > 0.5
    assert report["judging"]["length"]["of"] == "difference in length"
    keep(said, labels(tmp_path / "people.csv", range(N), odd="win", even="tie"), task)
    found = said.bench.report(task)["judging"]["calibration"]["agreement"]
    assert found["values"] == (0.5, 1.0)
    assert found["kappa"]["value"] == pytest.approx(0.5)


def test_a_judge_by_rule_is_held_against_people_too(said: Judged, tmp_path: Path) -> None:
    task = said.folder.task(judge={"name": "contains"})
    said.scored(task)
    keep(said, labels(tmp_path / "people.csv", range(N), odd="0", even="1"), task)
    report = said.bench.report(task)
    assert said.asked_of_judges() == []
    assert report["judging"]["calibration"]["agreement"]["agreement"]["value"] == 0.5
    assert report["judging"]["calibration"]["powered"]["bias"]["value"] == 0.5
    assert "human mean" in cell_markdown(report)
    with pytest.raises(ImportRefused, match="'correct' is no verdict of judge 'contains'"):
        keep(said, labels(tmp_path / "people.csv", range(2)), task)
