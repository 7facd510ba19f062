"""A cell against the baseline's and against the previous checkpoint's, item by item."""

import dagster as dg

from eval_assets.assets.checks import ON_COMPARISON
from eval_assets.assets.scores import judge_scores
from eval_assets.cells import current_cell, result
from eval_assets.partitions import cells_def
from eval_assets.pipeline.comparing import sentence
from eval_assets.pipeline.comparisons import compare_with_others
from eval_assets.reporting.words import could_detect
from eval_assets.settings import load_settings
from resources.store.resource import EvalStore


# An asset of its own, so that a new baseline re-reports and the cell's own report stays.
@dg.asset(
    partitions_def=cells_def, deps=[judge_scores], group_name="cells", kinds={"duckdb"},
    check_specs=[check.spec("comparison") for check in ON_COMPARISON],
)  # fmt: skip
def comparison(context: dg.AssetExecutionContext, store: EvalStore) -> dg.MaterializeResult:
    """Paired differences to the baseline and to the previous checkpoint of the run."""
    home, settings = store.open(), load_settings()
    cell = current_cell(context, home)
    task = cell.task.task
    found = compare_with_others(cell, home, settings.baseline_of(task), run_id=context.run.run_id)
    lines = [f"- {role}: {sentence(e[0])}; {could_detect(e[0])}".rstrip("; ") for role, e in found.entries.items()]
    lines += [f"- {role}: {why}" for role, why in found.absent.items()]
    for line in lines:
        context.log.info(line[2:])
    return result(
        found.version,
        {"comparison": dg.MetadataValue.md("\n".join(lines) or "nothing to compare with")},
        checks=[check.result(found.primary, settings.gate_of(task, cell.checkpoint.suite)) for check in ON_COMPARISON],
    )
