"""From a partition to the cell that it names, and what every materialization says of its origin."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from eval_assets.pipeline.cell import Cell, plan_cell
from eval_assets.pipeline.registering import identify_checkpoint
from eval_assets.versions import git_commit, package_versions
from resources.episodes.registry import player_identity
from resources.store import Store
from task_defs import load_task


def current_cell(context: dg.AssetExecutionContext, store: Store) -> Cell:
    """The cell of this run's partition, with the checkpoint's fingerprint of now."""
    key = context.partition_key
    if not isinstance(key, dg.MultiPartitionKey):
        raise dg.Failure(f"expected a partition 'checkpoint|task', not {key!r}")
    names = key.keys_by_dimension
    return plan_cell(store, identify_checkpoint(store, names["checkpoint"]), load_task(names["task"]))


def result(
    version: str, metadata: dict[str, Any], checks: Sequence[dg.AssetCheckResult] = ()
) -> dg.MaterializeResult[Any]:
    """A materialization under our data version, with where it was made."""
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version), metadata={**metadata, **provenance()}, check_results=checks
    )


def provenance() -> dict[str, Any]:
    """Where and with what something was made: never part of a version, always beside it."""
    gpus = [p.read_text().split("\n")[0] for p in Path("/proc/driver/nvidia/gpus").glob("*/information")]
    driver = Path("/proc/driver/nvidia/version")
    return {
        "git_commit": git_commit() or "no checkout",
        "host": platform.node(),
        "python": platform.python_version(),
        "packages": dg.MetadataValue.json(package_versions()),
        "gpus": dg.MetadataValue.json(gpus),
        "gpu_driver": driver.read_text().split("\n")[0] if driver.is_file() else "none",
    }


def cell_metadata(cell: Cell) -> dict[str, Any]:
    """Fingerprint, engine and parameters of a cell, for the UI."""
    episode = cell.task.episode
    return {
        "fingerprint": cell.checkpoint.fingerprint or "",
        "engine": dg.MetadataValue.json(cell.engine),
        "generation": dg.MetadataValue.json(cell.gen_kwargs),
        "media": dg.MetadataValue.json(cell.media.changes(["image", "video"])),
        "cell_key": cell.key,
        **({"player": dg.MetadataValue.json(player_identity(episode.player, episode.params))} if episode else {}),
    }
