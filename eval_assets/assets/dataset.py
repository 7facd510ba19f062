"""A task's questions and media in Lance."""

import dagster as dg

from eval_assets.cells import result
from eval_assets.partitions import tasks_def
from eval_assets.pipeline.ingest import ingest
from eval_assets.preview import preview
from resources.store.resource import EvalStore
from task_defs import load_task


@dg.asset(partitions_def=tasks_def, group_name="data", kinds={"lance"})
def benchmark_dataset(context: dg.AssetExecutionContext, store: EvalStore) -> dg.MaterializeResult:
    """Items in order, each medium once with its bytes as they came. The same rows, the same version."""
    task, home = load_task(context.partition_key), store.open()
    done = ingest(task, home)
    for row in done.quarantined[:20]:
        context.log.warning(f"row {row['position']} is quarantined: {row['reason']}")
    return result(
        done.version,
        {
            "dagster/row_count": done.items,
            "change": done.change,
            "source": done.origin,
            "media": done.media,
            "media_bytes": done.media_bytes,
            "items_missing_media": done.missing_media,
            "quarantined": dg.MetadataValue.json(done.quarantined[:100]),
            "quarantined_rows": len(done.quarantined),
            "preview": dg.MetadataValue.md(preview(home, task)),
        },
    )
