"""What the tests of imports share: the logs, the task that they answer, and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from resources.store import Store
from resources.store.tables import open_table

LOGS = Path(__file__).resolve().parent / "logs"
LM_EVAL = next(LOGS.glob("lm_eval/*/samples_birds_2*.jsonl"))
LM_EVAL_CHOICE = next(LOGS.glob("lm_eval/*/samples_birds_choice_*.jsonl"))
LMMS_EVAL = next(LOGS.glob("lmms_eval/*/*_samples_birds.jsonl"))
LMMS_EVAL_AGAIN = next(LOGS.glob("lmms_eval/*/*_samples_birds_again.jsonl"))


def stored(store: Store, *columns: str, name: str = "old", task: str = "birds") -> list[tuple[Any, ...]]:
    """What is recorded for a task, sorted by item and sample; by default the texts."""
    table = open_table(store.table("recorded", name))
    assert table is not None
    rows = [row for row in table.to_table().to_pylist() if row["task"] == task]
    rows.sort(key=lambda row: (row["item_id"], row["sample"]))
    return [tuple(row[c] for c in ("item_id", "sample", *(columns or ("text",)))) for row in rows]
