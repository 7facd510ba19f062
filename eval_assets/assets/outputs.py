"""What a checkpoint answers to a task's questions."""

import dagster as dg

from eval_assets.assets.checkpoint import checkpoint
from eval_assets.assets.dataset import benchmark_dataset
from eval_assets.cells import cell_metadata, current_cell, result
from eval_assets.partitions import cells_def
from eval_assets.pipeline.infer import infer
from resources.store.resource import EvalStore


@dg.asset(
    partitions_def=cells_def, deps=[checkpoint, benchmark_dataset], pool="gpu", group_name="cells", kinds={"lance"}
)
def model_outputs(context: dg.AssetExecutionContext, store: EvalStore) -> dg.MaterializeResult:
    """Responses, each durable within a second; only what is not stored yet is asked."""
    home = store.open()
    cell = current_cell(context, home)
    done = infer(cell, home, run_id=context.run.run_id, log=context.log.info)
    counts = {
        "dagster/row_count": done.rows,
        "asked": done.asked,
        "shared_with_another_question": done.reused,
        "permanent_errors": done.errors,
        "items_missing_media": done.missing_media,
        "items_without_question": done.unasked,
        **({"with_fewer_frames": done.fitted} if done.fitted else {}),
        **({"engine_observed": dg.MetadataValue.json(done.observed)} if done.observed else {}),
        **({"served_by": dg.MetadataValue.json(done.served_by)} if done.served_by else {}),
        **{f"spent/{name}": amount for name, amount in done.spend.items()},
    }
    return result(done.version, {**counts, **cell_metadata(cell)})
