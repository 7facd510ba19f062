"""What the task's judge says of the responses."""

import dagster as dg

from eval_assets.assets.outputs import model_outputs
from eval_assets.cells import current_cell, result
from eval_assets.partitions import cells_def
from eval_assets.pipeline.scoring import judge_cell
from resources.store.resource import EvalStore


@dg.asset(partitions_def=cells_def, deps=[model_outputs], pool="judge", group_name="cells", kinds={"lance"})
def judge_scores(context: dg.AssetExecutionContext, store: EvalStore) -> dg.MaterializeResult:
    """A verdict for every sample: a score with flags, or unscored with its reason.

    Asks no model, unless the task's judge is one: then only what no judge answer is stored for.
    """
    home = store.open()
    done = judge_cell(current_cell(context, home), home, run_id=context.run.run_id, log=context.log.info)
    return result(
        done.version,
        {
            "dagster/row_count": done.rows,
            "judged_now": done.judged,
            "unscored": done.unscored,
            "reasons": dg.MetadataValue.json(done.reasons),
            "flags": dg.MetadataValue.json(done.flags),
            **({"judging": dg.MetadataValue.json(done.judging)} if done.judging else {}),
        },
    )
