"""CharXiv's rows as questions, on rows of the published schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from task_defs import load_task
from task_defs.functions import load_function

ROW: dict[str, Any] = {
    "category": "cs", "figure_path": "images/7.jpg", "image": {"bytes": b"x"}, "num_subplots": 4, "subplot_row": 2,
    "subplot_col": 1, "subplot_loc": None, "descriptive_q1": 1, "descriptive_q2": 18, "descriptive_q3": 10,
    "descriptive_q4": 16, "descriptive_a1": "Loss", "descriptive_a2": "2 by 2", "descriptive_a3": "3",
    "descriptive_a4": "decreases", "reasoning_q": "Which is highest?", "reasoning_q_source": 1, "reasoning_a": "0.25",
    "reasoning_a_type": 4,
}  # fmt: skip


def rows(task: str, **changes: Any) -> list[dict[str, Any]]:
    function = load_function(load_task(task).process_docs)
    return list(function(iter([{**ROW, **changes}]), Path(), None))


def test_four_descriptive_questions_each_with_its_place() -> None:
    docs = rows("charxiv_descriptive")
    assert [doc["id"] for doc in docs] == [f"images/7.jpg_{k}" for k in (1, 2, 3, 4)]
    assert docs[0]["prompt"].startswith("For the subplot at row 2 and column 1, what is its title?")
    assert docs[1]["prompt"].startswith("What is the layout of the subplots?")
    assert docs[2]["overarching"] == "How many lines are there?"
    assert [doc["answer"] for doc in docs] == ["Loss", "2 by 2", "3", "decreases"]
    assert {doc["figure"] for doc in docs} == {"images/7.jpg"}


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({"subplot_row": 0, "subplot_col": 0}, "For the current plot, what"),
        ({"subplot_loc": "the inset"}, "For the inset, what"),
    ],
)
def test_other_places(changes: dict[str, Any], begins: str) -> None:
    assert rows("charxiv_descriptive", **changes)[0]["prompt"].startswith(begins)


@pytest.mark.parametrize(
    ("kind", "answer", "asked"),
    [
        (1, "A", "separate them with commas"),
        (2, "up", "conform to one of the options"),
        (3, "5", "grounded to a number"),
        (4, "0.25", "a number with 2 decimal places"),
        (4, "25", "an exact integer"),
    ],
)
def test_a_reasoning_question_asks_for_its_kind_of_answer(kind: int, answer: str, asked: str) -> None:
    (doc,) = rows("charxiv_reasoning", reasoning_a_type=kind, reasoning_a=answer)
    assert doc["prompt"].startswith("Which is highest?")
    assert asked in doc["prompt"]
    assert (doc["question"], doc["kind"], doc["answer"]) == ("Which is highest?", kind, answer)
