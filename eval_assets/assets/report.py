"""Scores as numbers with honest uncertainty."""

import dagster as dg

from eval_assets.assets.checks import ON_REPORT
from eval_assets.assets.scores import judge_scores
from eval_assets.cells import current_cell, result
from eval_assets.partitions import cells_def
from eval_assets.pipeline.report import report_cell
from eval_assets.reporting import cell_markdown
from eval_assets.settings import load_settings
from resources.store.resource import EvalStore


@dg.asset(
    partitions_def=cells_def, deps=[judge_scores], group_name="cells", kinds={"duckdb"},
    check_specs=[check.spec("statistical_report") for check in ON_REPORT],
)  # fmt: skip
def statistical_report(context: dg.AssetExecutionContext, store: EvalStore) -> dg.MaterializeResult:
    """Every metric with its interval, by category, with coverage and what was left out."""
    home = store.open()
    cell = current_cell(context, home)
    report = report_cell(cell, home, run_id=context.run.run_id, log=context.log.info)
    primary = report["metrics"][report["primary"]]
    numbers = {k: float(primary[k]) for k in ("value", "ci_low", "ci_high", "coverage")}
    gate = load_settings().gate_of(cell.task.task, cell.checkpoint.suite)
    return result(
        report["version"],
        {**numbers, "n": primary["n"], "report": dg.MetadataValue.md(cell_markdown(report, []))},
        checks=[check.result(report, gate) for check in ON_REPORT],
    )
