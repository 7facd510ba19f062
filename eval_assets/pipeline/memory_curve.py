"""How much a stream's requests hold, and how full the engine's KV cache is, over the time of the stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.cell import Cell
from eval_assets.pipeline.episodes import steps_of
from eval_assets.pipeline.scoring import scores_of
from resources.store import Store
from resources.store.tables import open_table, scan

if TYPE_CHECKING:
    import numpy as np

POINTS = 40  # of a curve, at most
_OF = {"tokens": "prompt_tokens", "kv_use": "kv_use"}


def memory_curve(store: Store, cell: Cell) -> dict[str, Any] | None:
    """`points`: for each stretch of time `at` (mean second of its requests), the `streams` that were asked in it, and
    of each figure that is known then [mean over those streams, least, most]: `tokens` of the prompt, and `kv_use`, the
    share of the engine's KV cache that all requests under way held together. A stream counts with the mean of its
    requests in that stretch. `concurrency`: how many streams were under way at a time, at most.

    None for a task that is no stream, and where the model tells neither.
    """
    import numpy as np

    episode = cell.task.episode
    if episode is None or episode.player != "stream":
        return None
    keys, times, streams = _requests(store, cell)
    if not len(keys):
        return None
    width = (float(times.max()) or 1.0) / POINTS
    place = np.minimum((times / width).astype(np.int64), POINTS - 1)
    shape = (int(streams.max()) + 1, POINTS)
    found = {name: [np.zeros(shape), np.zeros(shape)] for name in _OF}
    for rows, values in _answers(store, cell, keys):
        for name, of in values.items():
            known = ~np.isnan(of)
            at = streams[rows[known]], place[rows[known]]
            np.add.at(found[name][0], at, of[known])
            np.add.at(found[name][1], at, 1)
    if not any(counts.any() for _, counts in found.values()):
        return None
    points = []
    for n in range(POINTS):
        inside = place == n
        if inside.any():
            told = {name: _spread(sums[:, n], counts[:, n]) for name, (sums, counts) in found.items()}
            asked = len(np.unique(streams[inside]))
            points.append({"at": float(times[inside].mean()), "streams": asked, **told})
    return {"points": points, "concurrency": episode.concurrency}


def _spread(sums: np.ndarray, counts: np.ndarray) -> list[float] | None:
    """[mean, least, most] of the streams' means; None where no stream has one."""
    means = sums[counts > 0] / counts[counts > 0]
    return [float(means.mean()), float(means.min()), float(means.max())] if len(means) else None


def _requests(store: Store, cell: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) of each request of this cell's streams: hash of its identity, sorted; second of the stream; which stream."""
    import numpy as np

    scores = scores_of(store, cell.checkpoint.key, cell.task.task, cell.variant.id).dataset()
    steps = open_table(steps_of(store, cell).uri)
    keys: list[int] = []
    times: list[float] = []
    streams: list[int] = []
    if scores is not None and steps is not None:
        played = scores.to_table(columns=["item_id", "sample", "request_key"]).to_pylist()
        number = {(row["item_id"], row["sample"], row["request_key"]): n for n, row in enumerate(played)}
        for batch in scan(steps, ["item_id", "sample", "episode", "step", "request_key", "seen"]):
            for row in batch.to_pylist():
                stream = number.get((row["item_id"], row["sample"], row["episode"]))
                if stream is not None:
                    keys.append(hash((row["item_id"], row["sample"], row["step"], row["request_key"])))
                    times.append(json.loads(row["seen"])["time"])
                    streams.append(stream)
    order = np.argsort(np.array(keys, np.int64), kind="stable")
    return np.array(keys, np.int64)[order], np.array(times, float)[order], np.array(streams, np.int64)[order]


def _answers(store: Store, cell: Cell, keys: np.ndarray) -> Any:
    """(rows among the requests, name -> (k,) values, NaN where unknown), in batches."""
    import numpy as np

    table = open_table(cell.outputs(store).uri)
    assert table is not None, "scores without outputs"
    columns = {name: column for name, column in _OF.items() if column in table.schema.names}
    identity = ["item_id", "sample", "step", "request_key"]
    for batch in scan(table, [*identity, *columns.values()]):
        found = zip(*(batch[name].to_pylist() for name in identity), strict=True)
        hashes = np.fromiter(map(hash, found), np.int64, len(batch))
        rows = np.minimum(keys.searchsorted(hashes), len(keys) - 1)
        ours = keys[rows] == hashes
        values = {name: batch[column].to_numpy(zero_copy_only=False)[ours] for name, column in columns.items()}
        yield rows[ours], {name: np.asarray(of, float) for name, of in values.items()}
