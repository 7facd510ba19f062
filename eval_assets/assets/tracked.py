"""A checkpoint's scores where its training is watched: W&B, MLflow, TensorBoard."""

import dagster as dg

from eval_assets.assets.checkpoint_report import checkpoint_report
from eval_assets.cells import result
from eval_assets.partitions import checkpoints_def
from eval_assets.pipeline.tracking import push_checkpoints, tracked_version
from eval_assets.settings import load_settings
from resources.store.resource import EvalStore


@dg.asset(partitions_def=checkpoints_def, deps=[checkpoint_report], group_name="reports")
def tracked(context: dg.AssetExecutionContext, store: EvalStore) -> dg.MaterializeResult:
    """What the report says, pushed to the trackers of `evals.yaml` at the training step.

    A run of its own (`tracked_job`): a gate that fails stops what follows in its run, and its scores are
    those that people most want to see; and a tracker that is down fails this asset only.
    """
    home, key, trackers = store.open(), context.partition_key, load_settings().trackers
    version = tracked_version(home, key, trackers)
    pushed = push_checkpoints(home, [key], trackers, run_id=context.run.run_id, log=context.log.info)
    told = {f"{p.tracker} {i}" if i else p.tracker: f"{p.values} values: {p.place}" for i, p in enumerate(pushed)}
    return result(version, told or {"trackers": "none in evals.yaml"})
