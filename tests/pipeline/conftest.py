"""Cells for these tests: rows in, a model behind the endpoint, answers and scores out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from eval_assets.pipeline.cell import Cell, Variant, plan_cell
from eval_assets.pipeline.comparisons import compare_with_others
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint, register
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from task_defs import TaskDef
from tests.conftest import Endpoint, Reply, Seen, TaskFolder


def quiet(line: str) -> None:
    """A log that nobody reads."""


class Bench:
    """A store with a model behind the endpoint; every step of the chain in one word."""

    def __init__(self, store: Store, endpoint: Endpoint) -> None:
        self.store, self.endpoint = store, endpoint

    def point(self, key: str = "m", **args: Any) -> Checkpoint:
        """The endpoint's model under this key; one backoff of nothing, so that failures are quick."""
        arguments = self.endpoint.args(max_retries=0, **args)
        register(self.store, Checkpoint(key, "openai", "gpt", arguments))
        return identify_checkpoint(self.store, key)

    def cell(self, task: TaskDef, variant: Variant | None = None, key: str = "m", **args: Any) -> Cell:
        """The cell as it stands now, its rows ingested."""
        ingest(task, self.store)
        return plan_cell(self.store, self.point(key, **args), task, variant)

    def infer(self, task: TaskDef, variant: Variant | None = None, key: str = "m", **args: Any) -> Any:
        return infer(self.cell(task, variant, key, **args), self.store, run_id="r", log=quiet)

    def asked(self, task: TaskDef, variant: Variant | None = None, key: str = "m", **args: Any) -> list[str]:
        """The questions that completing the cell asks, sorted."""
        before = len(self.endpoint.seen)
        self.infer(task, variant, key, **args)
        return sorted(seen.text for seen in self.endpoint.seen[before:])

    def scored(self, task: TaskDef, variant: Variant | None = None, key: str = "m", **args: Any) -> list[dict]:
        """The verdicts of the completed and judged cell, in order."""
        from eval_assets.pipeline.scoring import scores_of

        cell = self.cell(task, variant, key, **args)
        infer(cell, self.store, run_id="r", log=quiet)
        judge_cell(cell, self.store, run_id="r", log=quiet)
        return scores_of(self.store, key, task.task, cell.variant.id).dataset().to_table().to_pylist()

    def report(self, task: TaskDef, variant: Variant | None = None, key: str = "m", **args: Any) -> dict[str, Any]:
        """The report of the completed cell; what comes after it, the comparisons, is made too."""
        self.scored(task, variant, key, **args)
        cell = self.cell(task, variant, key, **args)
        report = report_cell(cell, self.store, run_id="r", log=quiet)
        compare_with_others(cell, self.store, None, run_id="r")
        return report


def play(store: Store, task: TaskDef, policy: str) -> tuple[Cell, dict[str, Any]]:
    """A baseline's cell on a task that is played, and its report."""
    ingest(task, store)
    register(store, Checkpoint(policy, "baseline", policy))
    cell = plan_cell(store, identify_checkpoint(store, policy), task)
    infer(cell, store, run_id="r", log=quiet)
    judge_cell(cell, store, run_id="r", log=quiet)
    return cell, report_cell(cell, store, run_id="r", log=quiet)


@pytest.fixture
def bench(store: Store, endpoint: Endpoint) -> Bench:
    return Bench(store, endpoint)


def _rows(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": f"q{i}", "question": f"Question {i}?", "answer": "yes", **more} for i in range(count)]


@pytest.fixture
def rows() -> Callable[..., list[dict[str, Any]]]:
    """`count` questions with the answer yes: q0, q1, ..."""
    return _rows


class Judged:
    """A task with an asked judge. The endpoint answers questions as `answers` says and judges as `verdict` says."""

    def __init__(self, bench: Bench, folder: TaskFolder, where: Path) -> None:
        self.bench, self.folder, self.where = bench, folder, where
        self.endpoint: Endpoint = bench.endpoint
        self.answers: Any = lambda question: "yes"
        self.verdict: Any = lambda request: Reply('{"reason": "so", "score": 1}')
        self.endpoint.answer = self._answer
        self.models: dict[str, Any] = {"default": self.entry()}
        self.configure()

    def entry(self, source: str = "judge", **args: Any) -> dict[str, Any]:
        return {"model": "openai", "source": source, **self.endpoint.args(max_retries=0, **args)}

    def configure(self, **models: Any) -> None:
        self.models |= models
        self.where.write_text(yaml.safe_dump({"judge_models": self.models}))

    def task(self, **judge: Any) -> Any:
        return self.folder.task(judge={"name": "llm", **judge})

    def scored(self, task: Any, variant: Variant | None = None) -> list[dict[str, Any]]:
        return self.bench.scored(task, variant)

    def asked_of_judges(self) -> list[Seen]:
        return [seen for seen in self.endpoint.seen if seen.body["model"] != "gpt"]

    def _answer(self, request: Seen, number: int) -> Reply:
        if request.body["model"] == "gpt":
            return Reply(self.answers(request.text))
        return self.verdict(request)


@pytest.fixture
def judged(bench: Bench, folder: TaskFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: Any) -> Judged:
    monkeypatch.setenv("EVAL_CONFIG", str(tmp_path / "evals.yaml"))
    folder.rows(rows(6))
    return Judged(bench, folder, tmp_path / "evals.yaml")
