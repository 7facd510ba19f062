"""Dimensions of the grid: checkpoints, activated tasks, and cells; beside them training runs."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from resources.store import check_key

checkpoints_def = dg.DynamicPartitionsDefinition(name="checkpoint")
tasks_def = dg.DynamicPartitionsDefinition(name="task")
runs_def = dg.DynamicPartitionsDefinition(name="run")
cells_def = dg.MultiPartitionsDefinition({"checkpoint": checkpoints_def, "task": tasks_def})


def cell_partition(checkpoint: str, task: str) -> dg.MultiPartitionKey:
    """`checkpoint|task`; raises KeyRefused for a key that the grid could not carry."""
    return dg.MultiPartitionKey({"checkpoint": check_key(checkpoint), "task": check_key(task)})


def register_partitions(
    instance: dg.DagsterInstance, checkpoints: Sequence[str] = (), tasks: Sequence[str] = (), runs: Sequence[str] = ()
) -> None:
    """Make keys known to the instance; keys that are known already do no harm."""
    for definition, keys in ((checkpoints_def, checkpoints), (tasks_def, tasks), (runs_def, runs)):
        new = [check_key(k) for k in keys if not instance.has_dynamic_partition(definition.name or "", k)]
        if new:
            instance.add_dynamic_partitions(definition.name or "", new)
