"""The store as a Dagster resource."""

from __future__ import annotations

import os
import platform

import dagster as dg

from resources.engines.processes import identity
from resources.store.home import Store

WORKER = "eval/worker"  # tag of a run: `host|process`, by which it is found out that its process is gone


class EvalStore(dg.ConfigurableResource):  # type: ignore[type-arg]
    """home: EVAL_HOME, a local path or `s3://...`; empty: the environment's, else `.evals`."""

    home: str = ""

    def open(self) -> Store:
        return Store(self.home or None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """A run says which process it is."""
        if context.run_id and context.instance:
            context.instance.add_run_tags(context.run_id, {WORKER: f"{platform.node()}|{identity(os.getpid())}"})
