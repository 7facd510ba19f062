"""Dagster runs in this process, visible in the UI like any other."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from eval_assets.cli.common import store
from resources.store import Store
from task_defs import TaskDef

if TYPE_CHECKING:
    import dagster as dg


class RunFailed(RuntimeError):
    """A Dagster run failed; the message is its cause."""


def ensure_dataset(home: Store, task: TaskDef, runs: Runs | None = None) -> None:
    """Ingest where there are no items yet or the task's definition of them has changed."""
    from resources.store.records import datasets
    from task_defs.digests import data_digest

    record = datasets(home).get(task=task.task)
    if record is None or record["definition"] != data_digest(task):
        (runs or Runs()).dataset(task)


class Runs:
    """Runs of the code location's jobs on the instance of DAGSTER_HOME, one after another."""

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        import dagster

        return dagster.DagsterInstance.get()

    def identify(self, checkpoint: str) -> None:
        from eval_assets.pipeline.cell import find_checkpoint
        from eval_assets.pipeline.registering import changed_since

        point = find_checkpoint(store(), checkpoint)
        if point.fingerprint is None or changed_since(point):
            self._register([checkpoint], [])
            self._execute("checkpoint", checkpoint)

    def dataset(self, task: TaskDef) -> None:
        self._register([], [task.task])
        self._execute("dataset", task.task)

    def cell(self, checkpoint: str, task: TaskDef, variant: Any, *, judge_only: bool) -> None:
        from eval_assets.jobs import variant_config
        from eval_assets.partitions import cell_partition

        self._register([checkpoint], [task.task])
        if variant.id:
            self._execute("variant", None, variant_config(checkpoint, task.task, variant))
        else:
            selection = ["judge_scores", "statistical_report", "comparison"] if judge_only else None
            self._execute("cell", cell_partition(checkpoint, task.task), selection=selection)

    def sweep(self, asset: str, checkpoint: str, task: TaskDef, over: dict[str, Any], limit: int | None) -> None:
        """over: the configuration of the asset, which is `frames_sweep` or `context_sweep`."""
        from eval_assets.partitions import cell_partition

        self._register([checkpoint], [task.task])
        config = {**over, **({} if limit is None else {"limit": limit})}
        ops = {"ops": {asset: {"config": config}}}
        self._execute(asset, cell_partition(checkpoint, task.task), ops)

    def checkpoint_report(self, checkpoint: str) -> None:
        self._execute("checkpoint_report", checkpoint)

    def tracked(self, checkpoint: str) -> None:
        """Tell the trackers what they are still to be told; one that is down fails no evaluation."""
        from eval_assets.pipeline.tracking import outstanding_pushes
        from eval_assets.settings import load_settings

        if checkpoint not in outstanding_pushes(store(), load_settings().trackers):
            return
        try:
            self._execute("tracked", checkpoint)
        except RunFailed as error:
            sys.stderr.write(f"evals: not pushed: {error}\n")

    def learning_curve(self, run: str) -> None:
        from eval_assets.partitions import register_partitions

        register_partitions(self.instance, runs=[run])
        self._execute("learning_curve", run)

    def _register(self, checkpoints: list[str], tasks: list[str]) -> None:
        from eval_assets.partitions import register_partitions

        register_partitions(self.instance, checkpoints, tasks)

    def _execute(
        self, job: str, partition: str | None, config: dict[str, Any] | None = None, selection: list[str] | None = None
    ) -> None:
        import dagster as dg

        from eval_assets.definitions import defs

        result = defs.resolve_job_def(f"{job}_job").execute_in_process(
            partition_key=partition,
            instance=self.instance,
            run_config={**(config or {}), "loggers": {"plain": {}}},
            raise_on_error=False,
            asset_selection=[dg.AssetKey(name) for name in selection] if selection else None,
        )
        if not result.success:
            raise RunFailed(_cause(result))


def _cause(result: Any) -> str:
    """The failed check, or the step's error in the words that it was raised with, without Dagster's wrapping."""
    checks = result.get_asset_check_evaluations()
    failed = [f"{c.check_name}: {c.description}" for c in checks if not c.passed and c.severity.name == "ERROR"]
    if failed:
        return "; ".join(failed)
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            error = event.step_failure_data.error
            while error.cause and str(error.cls_name).startswith("Dagster"):
                error = error.cause
            return str(error.message.strip().partition(": ")[2] or error.message.strip())
    return f"run {result.run_id} failed"
