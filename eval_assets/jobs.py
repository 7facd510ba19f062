"""The runs there are: one a data set, one a checkpoint, one a cell, one a checkpoint's report, one a run's curve."""

import json
from typing import Any

import dagster as dg

from eval_assets import assets
from eval_assets.pipeline.cell import Variant, plan_cell
from eval_assets.pipeline.registering import identify_checkpoint
from eval_assets.pipeline.sweeping import complete
from resources.store.resource import EvalStore
from task_defs import load_task

# Named apart from the assets: Dagster keeps jobs and ops in one name space.
dataset_job = dg.define_asset_job("dataset_job", selection=[assets.benchmark_dataset])
checkpoint_job = dg.define_asset_job("checkpoint_job", selection=[assets.checkpoint])
cell_job = dg.define_asset_job("cell_job", selection=dg.AssetSelection.assets(*assets.CELL))
tracked_job = dg.define_asset_job("tracked_job", selection=[assets.tracked])
frames_sweep_job = dg.define_asset_job("frames_sweep_job", selection=[assets.frames_sweep])
context_sweep_job = dg.define_asset_job("context_sweep_job", selection=[assets.context_sweep])
learning_curve_job = dg.define_asset_job("learning_curve_job", selection=[assets.learning_curve])
checkpoint_report_job = dg.define_asset_job(
    "checkpoint_report_job", selection=dg.AssetSelection.assets(assets.checkpoint_report, assets.leaderboard)
)


class VariantConfig(dg.Config):
    """A cell with another limit, number of samples or of frames, other generation parameters (`gen`: JSON), without
    media, or played otherwise (`episode`: JSON).
    """

    checkpoint: str
    task: str
    limit: int | None = None
    repeats: int | None = None
    gen: str = "{}"
    blind: bool = False
    frames: int | None = None
    episode: str = "{}"


def variant_config(checkpoint: str, task: str, variant: Variant) -> dict[str, Any]:
    """The configuration of a run of `variant_job`."""
    departs: dict[str, Any] = {"limit": variant.limit, "repeats": variant.repeats, "frames": variant.frames}
    departs |= {"gen": json.dumps(dict(variant.gen))}
    config = {"checkpoint": checkpoint, "task": task, "blind": variant.blind, **departs}
    config |= {"episode": json.dumps(dict(variant.episode))}
    return {"ops": {"evaluate_variant": {"config": {k: v for k, v in config.items() if v is not None}}}}


@dg.op(pool="gpu")
def evaluate_variant(context: dg.OpExecutionContext, config: VariantConfig, store: EvalStore) -> None:
    """Outputs, scores and report of a variant: responses are shared with the cell, the report is its own."""
    home = store.open()
    gen, episode = json.loads(config.gen), json.loads(config.episode)
    variant = Variant(config.limit, config.repeats, gen, config.blind, config.frames, episode)
    cell = plan_cell(home, identify_checkpoint(home, config.checkpoint), load_task(config.task), variant)
    complete(cell, home, run_id=context.run.run_id, log=context.log.info)


@dg.job
def variant_job() -> None:
    """No asset: a variant is never the partition's latest materialization."""
    evaluate_variant()


ALL = [
    dataset_job, checkpoint_job, cell_job, checkpoint_report_job, learning_curve_job, frames_sweep_job,
    context_sweep_job, tracked_job, variant_job,
]  # fmt: skip
