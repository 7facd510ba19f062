"""Runs of the drain that have not ended: which there are, and how they are ended."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

TARGET = "eval/target"  # tag of a run: what it is for, as `Step.target` has it
QUEUED = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED)
RUNNING = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def runs_of_cells(instance: dg.DagsterInstance) -> dict[str, dg.DagsterRun]:
    """Target (`cell:a|t`) -> its run that is queued or running."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=[*QUEUED, *RUNNING]))
    return {run.tags[TARGET]: run for run in runs if TARGET in run.tags}


def stop_runs(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> None:
    """Cancel runs that are queued, terminate those that run; one that has ended by itself is no error."""
    for run_id in run_ids:
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            continue
        if run.status == dg.DagsterRunStatus.QUEUED:
            instance.run_coordinator.cancel_run(run_id)
        elif not instance.run_launcher.terminate(run_id):
            instance.report_run_canceled(run, message="cancelled; its process could not be reached")
