"""The leaderboard's data and page, from the summary table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eval_assets.pipeline.files import clean, write_json
from eval_assets.pipeline.metrics import marked
from eval_assets.versions import digest
from resources.store import Store
from resources.store.records import summary
from resources.store.tables import open_table


@dataclass
class Board:
    """data: {"rows": [...], "at"}; page, json: where they were written."""

    data: dict[str, Any]
    version: str
    page: str = ""
    json: str = ""


def leaderboard_data(store: Store) -> dict[str, Any]:
    """Rows of every checkpoint's primary metric, by task, best first."""
    import duckdb

    table = open_table(summary(store).uri)
    if table is None:
        return {"rows": [], "at": datetime.now(UTC).isoformat(timespec="seconds")}
    connection = duckdb.connect()
    connection.register("summary", table.to_table())
    found = connection.execute(
        "SELECT checkpoint, task, metric, value, se, ci_low, ci_high, n, n_clusters, coverage, run, step, "
        "higher_is_better, version FROM summary WHERE is_primary "
        "ORDER BY task, CASE WHEN higher_is_better THEN -value ELSE value END, checkpoint"
    )
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    rows = [marked(row["task"], row) for row in rows]
    return {"rows": rows, "at": datetime.now(UTC).isoformat(timespec="seconds")}


def write_leaderboard(store: Store) -> Board:
    from eval_assets.reporting import leaderboard_page

    data = clean(leaderboard_data(store))
    board = Board(data, digest([[r["checkpoint"], r["task"], r["version"]] for r in data["rows"]]))
    board.page = store.write_file(leaderboard_page(data).encode(), "reports", "leaderboard.html")
    board.json = write_json(store, data, "leaderboard")
    return board
