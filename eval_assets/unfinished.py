"""Runs of the drain that have not ended: which there are, and how they are ended."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg

from resources.engines.processes import identity
from resources.store.resource import WORKER

TARGET = "eval/target"  # tag of a run: what it is for, as `Step.target` has it
QUEUED = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED)
_NAMELESS = 300.0  # seconds that a run may go on without having said where
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


def end_orphans(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs as failed whose process is gone; their ids.

    Dagster sees a run's process die only while the code server that started it lives: after SIGKILL of both, or
    after a power cut, a run would count as running for ever, hold its places in pools and queue, and what it
    was for would be waited for. Only this machine's processes can be looked for.
    """
    late = datetime.now(UTC) - timedelta(seconds=_NAMELESS)
    gone = []
    for record in instance.get_run_records(filters=dg.RunsFilter(statuses=list(RUNNING))):
        run = record.dagster_run
        host, _, worker = run.tags.get(WORKER, "").partition("|")
        if host == platform.node():
            dead = identity(int(worker.split(":")[1])) != worker
        else:  # killed before it could say where it runs
            dead = not host and run.status != dg.DagsterRunStatus.STARTING and record.update_timestamp < late
            dead = dead and TARGET in run.tags
        if dead:
            instance.report_run_failed(run, "its process is gone: it was killed, or the machine was restarted")
            gone.append(run.run_id)
    return gone
