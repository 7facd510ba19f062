"""What a cell's answers cost, from the stored rows, in flat memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.cell import Cell
from resources.models.budget import Spend
from resources.store import Store
from resources.store.outputs import COUNTS
from resources.store.tables import open_table, scan

if TYPE_CHECKING:
    import lance
    import numpy as np
    import pyarrow as pa


def spent(cell: Cell, store: Store, scores: lance.LanceDataset) -> dict[str, Any]:
    """Tokens of the cell's requests, and `cost`, where the model's prices are known. None: unknown.

    scores: the cell's verdicts, which name their requests. A request is counted once, however many
    questions share its answer.
    """
    table = open_table(cell.outputs(store).uri)
    assert table is not None, "scores without outputs"
    columns = [name for name in COUNTS if name in table.schema.names]
    found: dict[str, int | None] = dict.fromkeys(COUNTS)
    for rows in _once(scan(table, ["request_key", *columns]), scan(scores, ["request_key"])):
        for name in columns:
            known = rows[name].drop_null()
            if len(known):
                found[name] = (found[name] or 0) + sum(known.to_pylist())
    cost = None
    if cell.prices is not None and found["prompt_tokens"] is not None:
        cost = Spend(tokens={name: n for name, n in found.items() if n is not None}).cost(cell.prices)
    return {**found, "cost": cost}


def _once(answers: Iterable[pa.RecordBatch], wanted: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    """The first row of each wanted request. Requests are remembered by 64-bit hashes of this process."""
    import numpy as np

    keys = np.unique(np.concatenate([np.empty(0, np.int64), *(_hashes(batch) for batch in wanted)]))
    counted = np.zeros(len(keys), bool)
    for batch in answers if len(keys) else ():
        hashes = _hashes(batch)
        places = np.minimum(keys.searchsorted(hashes), len(keys) - 1)
        rows = np.flatnonzero((keys[places] == hashes) & ~counted[places])
        places, first = np.unique(places[rows], return_index=True)
        counted[places] = True
        yield batch.take(rows[first])


def _hashes(batch: pa.RecordBatch) -> np.ndarray:
    import numpy as np

    return np.fromiter(map(hash, batch["request_key"].to_pylist()), np.int64, len(batch))
