"""How a checkpoint's score depends on the number of frames of each video."""

import dagster as dg
from pydantic import Field

from eval_assets.assets.checkpoint import checkpoint
from eval_assets.assets.dataset import benchmark_dataset
from eval_assets.cells import current_cell, result
from eval_assets.partitions import cells_def
from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.frames_sweep import FRAMES, refuse_sweep, write_sweep
from eval_assets.pipeline.sweeping import complete_variants
from resources.store.resource import EvalStore


class FramesConfig(dg.Config):
    """Numbers of frames, each a variant of the cell; limit: of the first items only."""

    frames: list[int] = Field(default=list(FRAMES))
    limit: int | None = None


@dg.asset(
    partitions_def=cells_def, deps=[checkpoint, benchmark_dataset], pool="gpu", group_name="reports", kinds={"html"}
)
def frames_sweep(context: dg.AssetExecutionContext, config: FramesConfig, store: EvalStore) -> dg.MaterializeResult:
    """Outputs, scores and report of each number of frames, and one page of them all; complete ones are not repeated."""
    from eval_assets.reporting.frames_sweep import sweep_markdown

    home = store.open()
    base = current_cell(context, home)
    refuse_sweep(home, base.task, config.frames)
    variants = [Variant(limit=config.limit, frames=frames) for frames in sorted(set(config.frames))]
    version = complete_variants(base, variants, home, run_id=context.run.run_id, log=context.log.info)
    data = write_sweep(home, base.checkpoint, base.task, config.frames, Variant(limit=config.limit))
    page = dg.MetadataValue.path(data["page"])
    return result(version, {"page": page, "sweep": dg.MetadataValue.md(sweep_markdown(data))})
