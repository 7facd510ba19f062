"""Verdicts and aggregates by lmms-eval's own functions: what the judge `lmms_eval` is handed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from task_defs.lmms_eval.client import FunctionFailed, Worker, WorkerLost, item_seconds, worker_for
from task_defs.lmms_eval.definition import OURS, home_of
from task_defs.lmms_eval.install import family_of, yaml_of
from task_defs.model import TaskDef

AGGREGATE_SECONDS = 30.0


class Grader:
    """One task's functions. Started when the first answer is judged."""

    def __init__(self, task: TaskDef) -> None:
        self._name, self._told = task.judge["task"], task.metadata["lmms_eval"]
        self._worker: Worker | None = None
        self._path = ""

    def _ask(self, op: str, seconds: float, **fields: Any) -> Any:
        if self._worker is None:
            found, path = yaml_of(self._name)
            self._worker = worker_for(found, family_of(found, path), home_of(self._told))
            self._path = str(path)
        return self._worker.ask(op, seconds, path=self._path, name=self._name, **fields)

    def grade(
        self, doc: Mapping[str, Any], text: str | None = None, losses: Sequence[float] | None = None
    ) -> tuple[dict[str, Any], dict[str, float | None]]:
        """Of one answer: {metric: value} as process_results gives it, and {metric: number} as the aggregation of
        this one result gives it, None where it gives none. Raises GradingFailed."""
        row = {k: v for k, v in doc.items() if k not in OURS}
        try:
            found = self._ask("grade", item_seconds(), doc=row, text=text, losses=losses)
        except FunctionFailed as error:
            self._raise_fault()
            raise GradingFailed(f"judge error: {error}\n{error.traceback}") from error
        except WorkerLost as error:
            self._raise_fault()
            raise GradingFailed(f"judge error: {error}") from error
        self._raise_fault()
        return found["found"], found["alone"]

    def _raise_fault(self) -> None:
        """Whatever a function made of a judge question that had no answer is no verdict."""
        assert self._worker is not None
        if faults := self._worker.endpoint.take_faults():
            raise GradingFailed(faults[0])

    def aggregate(self, metric: str, results: Sequence[Any], without: Sequence[Sequence[int]] = ()) -> list[Any]:
        """The metric of all results, then of all but those at each list of positions; shorter where time ran out.

        A number, None, or (first only) the `repr` of what is not a number. Raises GradingFailed.
        """
        try:
            limit = AGGREGATE_SECONDS
            found = self._ask(
                "aggregate", limit + item_seconds(), metric=metric, results=list(results),
                without=[list(rows) for rows in without], budget=limit,
            )  # fmt: skip
        except (FunctionFailed, WorkerLost) as error:
            raise GradingFailed(str(error)) from error
        finally:
            if self._worker is not None:
                self._worker.endpoint.take_faults()
        return list(found)


class GradingFailed(RuntimeError):
    """No verdict: the message is the reason, with the traceback where there is one."""
