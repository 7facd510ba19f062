"""Dagster's side of the queue: what runs, whether anybody drains it, how a run is stopped."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

_BEAT = 120.0  # seconds after which a daemon that has not shown life is taken for gone


class DagsterUnreachable(RuntimeError):
    """Dagster's storage does not answer; the message says what to start."""


@dataclass(frozen=True, slots=True)
class Going:
    """A run that has not ended. state: queued or running."""

    state: str
    run_id: str


class DagsterQueue:
    """The instance of DAGSTER_HOME. Raises DagsterUnreachable wherever it is asked in vain."""

    def __init__(self, instance: dg.DagsterInstance | None = None) -> None:
        self._instance = instance

    @property
    def instance(self) -> dg.DagsterInstance:
        if self._instance is None:
            import dagster

            try:
                self._instance = dagster.DagsterInstance.get()
            except Exception as error:  # of any storage that DAGSTER_HOME may name
                raise _unreachable(error) from error
        return self._instance

    def going(self) -> dict[str, Going]:
        """Target (`cell:a|t`) -> its run that is queued or running."""
        from eval_assets.unfinished import QUEUED, runs_of_cells

        try:
            runs = runs_of_cells(self.instance)
        except Exception as error:
            raise _unreachable(error) from error
        return {
            target: Going("queued" if run.status in QUEUED else "running", run.run_id) for target, run in runs.items()
        }

    def stop(self, run_ids: Iterable[str]) -> None:
        """Cancel runs that are queued, terminate those that run."""
        from eval_assets.unfinished import stop_runs

        stop_runs(self.instance, run_ids)

    def problem(self) -> str:
        """Why nothing is drained from the ledger now, or "". Raises DagsterUnreachable."""
        try:
            beats = self.instance.get_daemon_heartbeats()
        except Exception as error:
            raise _unreachable(error) from error
        at = max((beat.timestamp for kind, beat in beats.items() if kind == "SENSOR"), default=0.0)
        if time.time() - at > _BEAT:
            return "no Dagster daemon is running: start `dagster-daemon run` or `make ui`, jobs wait until then"
        return ""


def _unreachable(error: Exception) -> DagsterUnreachable:
    return DagsterUnreachable(
        f"Dagster's storage does not answer ({type(error).__name__}): check DAGSTER_HOME, and its database where one "
        "is configured; then start `dagster-daemon run` or `make ui`"
    )
