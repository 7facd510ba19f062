"""Figures of the catalogue's tasks that count groups, from rows to the report, against the authors' arithmetic."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from task_defs import load_task
from tests.conftest import Reply

PICTURES = Path(__file__).parents[3] / "shared" / "data" / "media" / "scikit_image"
NAMES = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "page.png")


@pytest.fixture
def pictures():
    """Real photographs as the hub stores them."""
    if not PICTURES.is_dir():
        pytest.skip(f"no real pictures: {PICTURES} does not exist")
    return [{"bytes": (PICTURES / name).read_bytes(), "path": name} for name in NAMES]


@pytest.fixture
def report(bench, endpoint, tmp_path, monkeypatch):
    """Rows to a Parquet file, answers by `answer(text of the prompt)`, the report's metrics by name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setenv("EVAL_DATA", str(tmp_path / "data"))

    def run(name, rows, answer):
        task = load_task(name)
        file = task.data_files.get(task.test_split, (f"{task.test_split}-00000-of-00001.parquet",))[0]
        path = tmp_path / "data" / (task.data_folder or name) / file.replace("*", "0")
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
        endpoint.answer = lambda seen, number: Reply(answer(seen.text))
        found = bench.report(task)
        return {name: metric["value"] for name, metric in found["metrics"].items()}, found

    return run


def coin(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 0


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def test_mme_in_points(report, pictures):
    subtasks = {"existence": (0, 1, 2), "count": (3, 4), "code_reasoning": (5,)}
    rows = [
        {"question_id": f"{subtask}/{number}.jpg", "image": pictures[number], "category": subtask, "answer": right,
         "question": f"Is {subtask} {number} {right == 'Yes'}? Please answer yes or no."}
        for subtask, numbers in subtasks.items()
        for number in numbers
        for right in ("Yes", "No")
    ]  # fmt: skip
    metrics, found = report("mme", rows, lambda text: "Yes, indeed." if coin(text) else "no")
    right = {row["question"]: ("Yes" if coin(row["question"]) else "No") == row["answer"] for row in rows}

    def points(subtask):
        pairs = {}
        for row in rows:
            if row["category"] == subtask:
                pairs.setdefault(row["question_id"], []).append(right[row["question"]])
        return 100 * mean(mean(pair) for pair in pairs.values()) + 100 * mean(all(pair) for pair in pairs.values())

    assert 0 < sum(right.values()) < len(rows), "a test in which everything is right would show nothing"
    assert metrics["perception"] * 400 == pytest.approx(points("existence") + points("count"))
    assert metrics["cognition"] * 200 == pytest.approx(points("code_reasoning"))
    assert metrics["accuracy"] == pytest.approx(mean(right.values()))
    ids = {row["question_id"] for row in rows}
    both = [all(right[row["question"]] for row in rows if row["question_id"] == picture) for picture in ids]
    assert metrics["accuracy_plus"] == pytest.approx(mean(both))
    assert found["by"]["category"]["count"]["accuracy_plus"]["n"] == 2


def test_hallusion_bench_pairs_and_figures(report, pictures):
    """Two sets: a chart with and without its figure, an illusion with its manipulated twin."""
    cells = [("VS", "chart", "0", "0", "0"), ("VS", "chart", "0", "1", "1"), ("VS", "chart", "0", "2", "2"),
             ("VD", "illusion", "1", "0", "1"), ("VD", "illusion", "1", "1", "2")]  # fmt: skip
    rows = [
        {"category": c, "subcategory": s, "set_id": set_id, "figure_id": figure, "visual_input": visual,
         "question_id": str(q), "question": f"Is {c} {figure} {q} so?", "gt_answer": str((int(figure) + q) % 2),
         "gt_answer_details": "", "filename": "", "sample_note": "",
         "image": None if visual == "0" else pictures[number]}
        for number, (c, s, set_id, figure, visual) in enumerate(cells)
        for q in (0, 1)
    ]  # fmt: skip
    wrong = {"Is VS 0 1 so?", "Is VS 2 0 so?"}

    def answer(text):
        row = next(row for row in rows if row["question"] in text)
        return "Yes." if (row["gt_answer"] == "1") != (row["question"] in wrong) else "No, it is not."

    # The second file of the split, the questions without a figure, is not there: `image` has all of these rows.
    metrics, _ = report("hallusion_bench_image", rows, answer)
    assert metrics["aAcc"] == pytest.approx(8 / 10)
    # Figures: VS 1, VS 2 (wrong), VD 0, VD 1; VS 0 is no figure, though one of its answers is wrong.
    assert metrics["fAcc"] == pytest.approx(3 / 4)
    # Pairs: VS 0 (wrong on figure 2), VS 1 (wrong on figure 0), VD 0, VD 1.
    assert metrics["qAcc"] == pytest.approx(2 / 4)


def test_mmbench_counts_a_question_once_for_all_its_rotations(report, pictures):
    rows = []
    for number, options in enumerate((["red", "blue"], ["one", "two", "three"])):
        for turn in range(len(options)):
            turned = options[turn:] + options[:turn]
            letters = dict(zip("ABCD", [*turned, None, None], strict=False)) | {"D": None}
            rows.append(
                {"index": turn * 1_000_000 + number, "question": f"Question {number}?", "hint": "nan",
                 "answer": "ABC"[turned.index(options[0])], "category": "color", "image": pictures[number],
                 "source": "", "L2-category": "perception", "comment": None, "split": "dev", **letters}
            )  # fmt: skip
    # Always the option's text for question 0; for question 1 always the letter A, right in one of three rotations.
    metrics, found = report("mmbench_en_dev", rows, lambda text: "red" if "Question 0" in text else "A")
    assert metrics == {"circular": 0.5, "accuracy": pytest.approx(3 / 5), "circular_published": 0.5}
    assert found["by"]["rotation"]["0"]["accuracy"]["value"] == 1.0, "the authors' vanilla accuracy"


def test_mmvp_asks_for_both_of_a_pair(report, pictures):
    rows = [
        {"Index": i + 1, "Question": f"Pair {i // 2}, open or closed?", "Options": "(a) Open (b) Closed",
         "Correct Answer": "(a)" if i % 2 == 0 else "(b)", "image": pictures[i]}
        for i in range(4)
    ]  # fmt: skip
    metrics, _ = report("mmvp", rows, lambda text: "A. Open")
    assert metrics == {"pairs": 0.0, "accuracy": 0.5}


def test_naturalbench(report, pictures):
    rows = [
        {"Index": 4 * group + place, "Question": f"Question {group} {place // 2} on {place % 2}?",
         "Answer": "No" if place in (1, 2) else "Yes", "Question_Type": "yes_no",
         "Image": pictures[2 * group + place % 2]}
        for group in (0, 1)
        for place in range(4)
    ]  # fmt: skip

    # Group 0 is all right; in group 1 question 1 is wrong on picture 0.
    yes = ("Question 0 0 on 0", "Question 0 1 on 1", "Question 1 0 on 0", "Question 1 1 on 0", "Question 1 1 on 1")
    metrics, _ = report("naturalbench", rows, lambda text: "Yes" if text.startswith(yes) else "No")
    assert metrics == {"G_Acc": 0.5, "Q_Acc": 0.75, "I_Acc": 0.75, "accuracy": pytest.approx(7 / 8)}


def test_blink_is_the_plain_mean_over_its_tasks(report, pictures):
    rows = [
        {"idx": f"val_{task}_{n}", "sub_task": task, "question": "q", "choices": ["x", "y"], "answer": "(A)",
         "prompt": f"{task} {n}\n(A) x\n(B) y", "explanation": "",
         "image_1": pictures[n], "image_2": pictures[5] if task == "Jigsaw" else None, "image_3": None, "image_4": None}
        for task, count in (("Jigsaw", 1), ("Counting", 3))
        for n in range(count)
    ]  # fmt: skip
    metrics, _ = report("blink", rows, lambda text: "The answer is (A)" if "Jigsaw" in text else "(B)")
    assert metrics == {"accuracy_macro": 0.5, "accuracy": 0.25}
