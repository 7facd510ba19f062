"""Stored results for Python: `from eval_assets import results`.

    results.outputs("run1.4000", "mathvision")   # pyarrow.Table: responses of exactly this cell
    results.scores("run1.4000", "mathvision")    # pyarrow.Table: verdicts
    results.report("run1.4000", "mathvision")    # dict: metrics with intervals

All read EVAL_HOME unless a `store` is given. Scores are fractions; unscored is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resources.store import Store
from resources.store.tables import one_of

if TYPE_CHECKING:
    import pyarrow as pa


def outputs(checkpoint: str, task: str, store: Store | None = None) -> pa.Table:
    """Responses of the cell as it was judged: one row a sample, in the data set's order."""
    import duckdb

    from eval_assets.pipeline.cell import find_checkpoint
    from resources.store.tables import open_table

    home = store or Store()
    judged = scores(checkpoint, task, home).select(["item_id", "sample", "position", "request_key"])
    point = find_checkpoint(home, checkpoint)
    table = open_table(home.table("outputs", task, point.fingerprint or ""))
    assert table is not None, "scores without outputs"
    connection = duckdb.connect()
    connection.register("judged", judged)
    connection.register("answers", table.scanner().to_reader())
    return connection.sql(
        "SELECT answers.* FROM judged JOIN answers USING (item_id, sample, request_key) "
        'QUALIFY row_number() OVER (PARTITION BY item_id, sample ORDER BY answers."at") = 1 ORDER BY position, sample'
    ).to_arrow_table()


def scores(checkpoint: str, task: str, store: Store | None = None, variant: str = "") -> pa.Table:
    """Verdicts of the cell: item_id, sample, score (null: unscored), answer, flags, components, categories."""
    from eval_assets.pipeline.item_scores import stored_scores

    return stored_scores(store or Store(), checkpoint, task, variant).to_table()


def report(checkpoint: str, task: str, variant: str = "", store: Store | None = None) -> dict[str, Any]:
    """{checkpoint, task, metrics: {name: {value, se, ci_low, ci_high, n, n_clusters, coverage, ...}}, by: ...}."""
    from eval_assets.pipeline.files import report_name
    from eval_assets.pipeline.item_scores import NotScored, not_scored

    found = (store or Store()).read_json("reports", task, f"{report_name(checkpoint, variant)}.json")
    if found is None:
        raise NotScored(not_scored(checkpoint, task))
    return dict(found)


def items(
    checkpoint: str,
    task: str,
    *,
    wrong: bool = False,
    unscored: bool = False,
    limit: int | None = None,
    store: Store | None = None,
) -> list[dict[str, Any]]:
    """Question, target, response and verdict of each sample, in the data set's order."""
    from eval_assets.pipeline.ingest import items_of
    from eval_assets.pipeline.questions import COLUMNS, question
    from task_defs import load_task

    home, definition = store or Store(), load_task(task)
    rows = [r for r in scores(checkpoint, task, home).to_pylist() if _chosen(r, wrong, unscored)][:limit]
    wanted = {r["item_id"] for r in rows}
    if not wanted:
        return []
    stored = items_of(home, definition).table().to_table(columns=list(COLUMNS), filter=one_of("item_id", wanted))
    asked = {row["item_id"]: question(definition, row) for row in stored.to_pylist()}
    answers = {(r["item_id"], r["sample"]): r for r in outputs(checkpoint, task, home).to_pylist()}
    return [
        {
            "item_id": r["item_id"],
            "sample": r["sample"],
            "question": "".join(str(v) for k, v in asked[r["item_id"]].messages[0].parts if k == "text"),
            "target": asked[r["item_id"]].item.target,
            "choices": asked[r["item_id"]].item.choices,
            **{k: answers.get((r["item_id"], r["sample"]), {}).get(k) for k in ("text", "reasoning")},
            **{k: r[k] for k in ("answer", "score", "flags", "unscored")},
        }
        for r in rows
    ]


def _chosen(row: dict[str, Any], wrong: bool, unscored: bool) -> bool:
    if unscored:
        return row["score"] is None
    return not wrong or (row["score"] is not None and row["score"] < 1)
