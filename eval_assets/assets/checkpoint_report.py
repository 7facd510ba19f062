"""All tasks of one checkpoint: corrected comparisons, macro averages, a page to read."""

import dagster as dg

from eval_assets.assets.checks import ON_CHECKPOINT
from eval_assets.assets.comparison import comparison
from eval_assets.assets.report import statistical_report
from eval_assets.cells import result
from eval_assets.partitions import checkpoints_def
from eval_assets.pipeline.checkpoint_report import write_checkpoint_report
from eval_assets.reporting import checkpoint_markdown
from eval_assets.settings import load_settings
from resources.store.resource import EvalStore


@dg.asset(
    partitions_def=checkpoints_def, deps=[statistical_report, comparison], group_name="reports", kinds={"html"},
    check_specs=[check.spec("checkpoint_report", checkpoints_def) for check in ON_CHECKPOINT],
)  # fmt: skip
def checkpoint_report(context: dg.AssetExecutionContext, store: EvalStore) -> dg.MaterializeResult:
    """One HTML page and one JSON file for the checkpoint: every task, Holm-corrected comparisons."""
    settings = load_settings()
    found = write_checkpoint_report(store.open(), context.partition_key, settings, context.run.run_id)
    return result(
        found.version,
        {
            "page": dg.MetadataValue.path(found.page),
            "json": dg.MetadataValue.path(found.json),
            "report": dg.MetadataValue.md(checkpoint_markdown(found.data)),
        },
        checks=[check.result(found.data, settings.gate) for check in ON_CHECKPOINT],
    )
