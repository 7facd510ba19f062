"""How a checkpoint's score on a stream falls with the budget of its context, for each policy that spends it."""

import dagster as dg
from pydantic import Field

from eval_assets.assets.checkpoint import checkpoint
from eval_assets.assets.dataset import benchmark_dataset
from eval_assets.cells import current_cell, result
from eval_assets.partitions import cells_def
from eval_assets.pipeline.context_sweep import BUDGETS, POLICIES, sweep_variants, write_context_sweep
from eval_assets.pipeline.sweeping import complete_variants
from resources.store.resource import EvalStore


class ContextConfig(dg.Config):
    """Policies and numbers of frames, each pair a variant of the cell (`all` takes no number). limit: of the first
    items only.
    """

    policies: list[str] = Field(default=list(POLICIES))
    budgets: list[int] = Field(default=list(BUDGETS))
    limit: int | None = None


@dg.asset(
    partitions_def=cells_def, deps=[checkpoint, benchmark_dataset], pool="gpu", group_name="reports", kinds={"html"}
)
def context_sweep(context: dg.AssetExecutionContext, config: ContextConfig, store: EvalStore) -> dg.MaterializeResult:
    """Outputs, scores and report of each policy and budget, and one page of them; complete ones are not repeated."""
    from eval_assets.reporting.context_sweep import context_markdown

    home = store.open()
    base = current_cell(context, home)
    variants = sweep_variants(base.task, config.policies, config.budgets, config.limit)
    each = [variant for of_policy in variants.values() for variant in of_policy.values()]
    version = complete_variants(base, each, home, run_id=context.run.run_id, log=context.log.info)
    data = write_context_sweep(home, base.checkpoint.key, base.task, variants)
    page = dg.MetadataValue.path(data["page"])
    return result(version, {"page": page, "sweep": dg.MetadataValue.md(context_markdown(data))})
