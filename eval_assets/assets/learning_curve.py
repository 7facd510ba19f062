"""All checkpoints of a training run: levels, differences with a band, the best, what has changed."""

import dagster as dg

from eval_assets.assets.report import statistical_report
from eval_assets.cells import result
from eval_assets.partitions import runs_def
from eval_assets.pipeline.learning_curve import write_learning_curve
from eval_assets.settings import load_settings
from resources.store.resource import EvalStore


# All cells: Dagster has no mapping from a grid to the runs of its checkpoints, and would guess equal keys.
@dg.asset(
    partitions_def=runs_def, deps=[dg.AssetDep(statistical_report, partition_mapping=dg.AllPartitionMapping())],
    group_name="reports", kinds={"html"},
)  # fmt: skip
def learning_curve(context: dg.AssetExecutionContext, store: EvalStore) -> dg.MaterializeResult:
    """One HTML page, one JSON and one Parquet file for the run: every task on which a checkpoint has a report."""
    from eval_assets.reporting.curve import curve_markdown

    found = write_learning_curve(store.open(), context.partition_key, load_settings(), context.run.run_id)
    return result(
        found.version,
        {
            "page": dg.MetadataValue.path(found.page),
            "json": dg.MetadataValue.path(found.json),
            "parquet": dg.MetadataValue.path(found.parquet),
            "curve": dg.MetadataValue.md(curve_markdown(found.data)),
        },
    )
