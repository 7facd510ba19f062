"""Published judgings, aggregated anew from the judge's own texts: LLaVA-Bench in the wild and MM-Vet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.importing import ImportRefused, import_answers
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.judgements import judgements_of
from eval_assets.pipeline.recorded_judgements import forget_judgements, import_judgements
from eval_assets.pipeline.registering import identify_checkpoint
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell, scores_of
from eval_assets.reporting import cell_markdown
from resources.models import ModelUnusable
from resources.store import Store
from task_defs import TaskDef, load_task
from tests.checked import check_of
from tests.conftest import TaskFolder
from tests.pipeline.conftest import quiet

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "judge_repeats"
real = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data: {DATA} does not exist")


def jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def reported(store: Store, task: TaskDef, checkpoint: str) -> dict[str, Any]:
    cell = plan_cell(store, identify_checkpoint(store, checkpoint), task)
    infer(cell, store, run_id="r", log=quiet)
    judge_cell(cell, store, run_id="r", log=quiet)
    return report_cell(cell, store, run_id="r", log=quiet)


@pytest.fixture
def wild(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskDef:
    """The task with its 60 questions; pictures, contexts and GPT-4's answers are not in the data, nor which picture
    a question is about: each has its own here."""
    folder = tmp_path / "llava_bench_wild"
    asked = lines(DATA / "llava-bench-in-the-wild/answers/llava-v1.5-13b.jsonl")
    kinds = {
        row["question_id"]: row["category"].removeprefix("llava_bench_")
        for row in lines(DATA / "llava-bench-in-the-wild/reviews/llava-v1.5-13b-eval1.jsonl")
    }
    ids = [(row["question_id"], row["prompt"]) for row in asked]
    jsonl(
        folder / "questions.jsonl",
        [{"question_id": n, "image": f"{n}.jpg", "text": text, "category": kinds[n]} for n, text in ids],
    )
    jsonl(folder / "context.jsonl", [{"image": f"{n}.jpg", "caption": "(not here)"} for n, _ in ids])
    jsonl(folder / "answers_gpt4.jsonl", [{"question_id": n, "text": "(not here)"} for n, _ in ids])
    monkeypatch.setenv("EVAL_DATA", str(tmp_path))
    task = load_task("llava_bench_wild")
    ingest(task, store)
    return task


@real
@pytest.mark.real
@pytest.mark.parametrize(
    ("size", "published", "runs"), [("13b", 72.55, (72.8, 72.7, 72.1)), ("7b", 65.47, (64.8, 65.3, 66.3))]
)
def test_llava_bench_wild(store: Store, wild: TaskDef, size: str, published: float, runs: tuple[float, ...]) -> None:
    folder = DATA / "llava-bench-in-the-wild"
    name = f"llava-v1.5-{size}"
    import_answers(
        store, folder / f"answers/{name}.jsonl", wild, name, id_field="question_id", response_field="text"
    )  # fmt: skip
    reviews = [folder / f"reviews/{name}-eval{run}.jsonl" for run in (1, 2, 3)]
    kept = import_judgements(
        store, reviews, wild, name, model="default", id_field="question_id", text_field="content"
    )  # fmt: skip
    assert (kept.answers, kept.runs, kept.items_without, kept.unmatched) == (180, 3, 0, [])
    assert 2 * kept.answers == check_of(wild.task, name="llm").answers  # of two models
    report = reported(store, wild, name)
    metric = report["metrics"]["relative_score"]
    assert round(100 * metric["value"], 2) == published
    assert metric["aggregation"] == "ratio of sums"
    assert metric["ci_low"] < metric["value"] < metric["ci_high"]
    assert report["coverage"] == 1
    assert [round(100 * value, 1) for value in report["judging"]["runs"]] == list(runs)
    assert set(report["by"]["category"]) == {"complex", "conv", "detail"}
    assert "imported answers" in cell_markdown(report)
    said = judgements_of(store, name, wild, items=["0"])
    assert [row["run"] for row in said] == [1, 2, 3]
    assert "[Assistant 2]" in said[0]["messages"][1]["text"]


@real
@pytest.mark.real
@pytest.mark.parametrize(("size", "runs", "changed"), [("13b", (36.1, 36.5, 36.3), 16), ("7b", (31.2, 30.8, 31.2), 12)])
def test_mm_vet(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str, runs: tuple[float, ...], changed: int
) -> None:
    rows = lines(DATA / "mm-vet/llava-mm-vet.jsonl")
    # Its ground truths and capabilities are not in the data.
    questions = [
        {"question_id": f"v1_{r['question_id']}", "question": r["text"], "answer": "(not here)", "image": r["image"]}
        for r in rows
    ]
    jsonl(tmp_path / "mm_vet" / "test.jsonl", questions)
    monkeypatch.setenv("EVAL_DATA", str(tmp_path))
    task = load_task("mm_vet")
    ingest(task, store)
    name = f"llava-v1.5-{size}"
    answers = json.loads((DATA / f"mm-vet/results/{name}.json").read_text())
    jsonl(tmp_path / "answers.jsonl", [{"id": n, "text": text} for n, text in answers.items()])
    import_answers(store, tmp_path / "answers.jsonl", task, name, id_field="id", response_field="text")
    grades = DATA / f"mm-vet/results/{name}_gpt-4-grade-3runs.json"
    kept = import_judgements(store, [grades], task, name, model="default", id_field="id", text_field="content")
    assert (kept.answers, kept.runs) == (3 * 218, 3)
    assert 2 * kept.answers == check_of(task.task, name="llm").answers  # of two models
    report = reported(store, task, name)
    block = report["judging"]
    assert [round(100 * value, 1) for value in block["runs"]] == list(runs)
    assert block["items_changed"] == changed
    assert report["metrics"]["score"]["value"] == pytest.approx(sum(block["runs"]) / 3, abs=1e-12)
    assert round(100 * block["between_runs_sd"], 1) == 0.2  # as published
    assert report["n_scored"] == 218


@pytest.fixture
def birds(store: Store, folder: TaskFolder, rows: Any, tmp_path: Path) -> TaskDef:
    task = folder.rows(rows(4)).task(judge={"name": "llm", "samples": 1})
    ingest(task, store)
    jsonl(tmp_path / "answers.jsonl", [{"id": f"q{i}", "text": "yes"} for i in range(4)])
    import_answers(store, tmp_path / "answers.jsonl", task, "old", id_field="id", response_field="text")
    return task


def take(store: Store, task: TaskDef, *paths: Path) -> Any:
    return import_judgements(store, paths, task, "old", model="default", id_field="id", text_field="said")


def test_items_without_a_judge_answer_are_unscored_and_unreadable_ones_too(
    store: Store, birds: TaskDef, tmp_path: Path
) -> None:
    jsonl(
        tmp_path / "said.jsonl",
        [{"id": "q0", "said": "Score: 1"}, {"id": "q1", "said": "well"}, {"id": "q2", "said": "0"}],
    )
    kept = take(store, birds, tmp_path / "said.jsonl")
    assert kept.items_without == 1
    reported(store, birds, "old")
    rows = scores_of(store, "old", "birds").dataset().to_table().to_pylist()
    assert [row["score"] for row in rows] == [1, None, 0, None]
    assert rows[1]["unscored"].startswith("judge gave no verdict")
    assert rows[3]["unscored"] == "judge's answer was not imported"


def test_corrected_judge_answers_re_score_and_forgotten_ones_need_a_judge_model(
    store: Store, birds: TaskDef, tmp_path: Path
) -> None:
    path = tmp_path / "said.jsonl"
    for score in (1, 0):
        jsonl(path, [{"id": f"q{i}", "said": f"Score: {score}"} for i in range(4)])
        take(store, birds, path)
        assert reported(store, birds, "old")["metrics"]["score"]["value"] == score
    assert forget_judgements(store, "birds", "old") == 4
    with pytest.raises(ModelUnusable, match="judge model 'default' is not configured"):
        reported(store, birds, "old")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"id": "q0", "said": "1"}\n{"id": "q0", "said": "0"}\n', "item 'q0' is there twice"),
        ('{"id": "x0", "said": "1"}\n{"id": "q0", "said": "0"}\n{"id": "x1", "said": "0"}\n', "2 of 3 rows match no"),
        ('{"id": "q0"}\n', "no field 'said'; it has id"),
    ],
)  # fmt: skip
def test_a_wrong_file_of_judge_answers_is_refused(
    store: Store, birds: TaskDef, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "said.jsonl").write_text(text)
    with pytest.raises(ImportRefused, match=told):
        take(store, birds, tmp_path / "said.jsonl")
