"""Checkpoints against tasks, from the one table that every report writes to."""

import dagster as dg

from eval_assets.assets.report import statistical_report
from eval_assets.cells import result
from eval_assets.pipeline.leaderboard import write_leaderboard
from eval_assets.reporting import leaderboard_markdown
from resources.store.resource import EvalStore


@dg.asset(deps=[statistical_report], group_name="reports", kinds={"duckdb"})
def leaderboard(store: EvalStore) -> dg.MaterializeResult:
    """The primary metric of every checkpoint on every task, with its interval."""
    found = write_leaderboard(store.open())
    return result(
        found.version,
        {
            "page": dg.MetadataValue.path(found.page),
            "checkpoints": len({row["checkpoint"] for row in found.data["rows"]}),
            "leaderboard": dg.MetadataValue.md(leaderboard_markdown(found.data)),
        },
    )
