"""A model that can be evaluated, identified by its content."""

import dagster as dg

from eval_assets.cells import result
from eval_assets.partitions import checkpoints_def
from eval_assets.pipeline.registering import identify_checkpoint
from resources.store.resource import EvalStore


@dg.asset(partitions_def=checkpoints_def, group_name="models", kinds={"safetensors"})
def checkpoint(context: dg.AssetExecutionContext, store: EvalStore) -> dg.MaterializeResult:
    """Hash of weights, config, tokenizer and processor. Its data version is the model fingerprint."""
    found = identify_checkpoint(store.open(), context.partition_key, again=True, log=context.log.info)
    return result(
        found.fingerprint or "",
        {
            "model": found.model,
            "source": found.source,
            "run": found.run or "",
            "step": found.step if found.step is not None else "",
            "bytes": found.bytes or 0,
            "model_args": dg.MetadataValue.json(dict(found.model_args)),
        },
    )
