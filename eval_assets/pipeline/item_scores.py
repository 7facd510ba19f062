"""Stored verdicts as arrays, one entry an item: what the statistics are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.scoring import scores_of
from judges import Metric
from resources.store import Store

if TYPE_CHECKING:
    import lance
    import numpy as np


class NotScored(LookupError):
    """The cell has no scores yet."""


@dataclass(frozen=True)
class ItemScores:
    """One entry an item, in the data set's order.

    values:   component -> (n,) mean over the item's scored samples, NaN where none is scored
              ("score" is the primary score).
    clusters: (n,) labels, or None where the task has no clusters.
    by:       report_by field -> (n,) categories ("" where the item has none).
    samples, scored: how many samples there are, and how many of them are scored.
    """

    ids: np.ndarray
    hashes: np.ndarray
    clusters: np.ndarray | None
    values: Mapping[str, np.ndarray]
    by: Mapping[str, np.ndarray]
    samples: np.ndarray
    scored: np.ndarray

    def take(self, rows: np.ndarray) -> ItemScores:
        """These items only: a mask or row numbers."""
        return ItemScores(
            self.ids[rows],
            self.hashes[rows],
            None if self.clusters is None else self.clusters[rows],
            {k: v[rows] for k, v in self.values.items()},
            {k: v[rows] for k, v in self.by.items()},
            self.samples[rows],
            self.scored[rows],
        )

    @property
    def coverage(self) -> float:
        """Share of samples that are scored; NaN without items."""
        total = float(self.samples.sum())
        return float(self.scored.sum()) / total if total else float("nan")

    def combined(self, weights: Mapping[str, float]) -> np.ndarray:
        """(n,) linear combination of components."""
        return sum(weight * self.values[name] for name, weight in weights.items())  # type: ignore[return-value]

    def parts(self, metric: Metric) -> tuple[np.ndarray, np.ndarray | None]:
        """(n,) numerator, and denominator where the metric is a ratio of sums."""
        bottom = metric.denominator
        return self.combined(metric.numerator), None if bottom is None else self.combined(bottom)


def not_scored(checkpoint: str, task: str) -> str:
    return f"{checkpoint} on {task} has no scores yet: run `evals run --checkpoint {checkpoint} --tasks {task}`"


def stored_scores(store: Store, checkpoint: str, task: str, variant: str = "") -> lance.LanceDataset:
    """The table of the cell's verdicts. Raises NotScored."""
    dataset = scores_of(store, checkpoint, task, variant).dataset()
    if dataset is None:
        raise NotScored(not_scored(checkpoint, task))
    return dataset


def load_item_scores(
    store: Store, checkpoint: str, task: str, variant: str = "", fields: Sequence[str] | None = None
) -> ItemScores:
    """The cell's stored verdicts, averaged over samples by DuckDB. Raises NotScored."""
    import duckdb
    import numpy as np

    dataset = stored_scores(store, checkpoint, task, variant)
    names = dataset.schema.names
    components = {"score": "score"} | {n.removeprefix("value_"): n for n in names if n.startswith("value_")}
    categories = [n for n in names if n.startswith("by_")]
    columns = ["item_id", "item_hash", "cluster", "position", *components.values(), *categories]
    scanned = dataset.scanner(columns=list(dict.fromkeys([*columns, "score"]))).to_reader()
    # A component counts where the sample is scored; avg() leaves nulls out.
    means = ", ".join(f'avg("{c}") FILTER (score IS NOT NULL) AS "{c}"' for c in components.values())
    firsts = ", ".join(f'any_value("{c}") AS "{c}"' for c in ["item_hash", "cluster", *categories])
    connection = duckdb.connect()
    connection.register("scanned", scanned)
    found: dict[str, Any] = connection.execute(
        f"SELECT item_id, min(position) AS position, {firsts}, {means}, count(*) AS samples, "  # noqa: S608
        "count(score) AS scored FROM scanned GROUP BY item_id ORDER BY position"
    ).fetchnumpy()
    clusters = _text(found["cluster"])
    return ItemScores(
        ids=_text(found["item_id"]),
        hashes=_text(found["item_hash"]),
        clusters=None if (clusters == "").all() else np.where(clusters == "", found["item_id"], clusters),
        values={k: _floats(found[c]) for k, c in components.items()},
        by={c.removeprefix("by_"): _text(found[c]) for c in categories if _wanted(c, fields)},
        samples=np.asarray(found["samples"]),
        scored=np.asarray(found["scored"]),
    )


def _wanted(column: str, fields: Sequence[str] | None) -> bool:
    return fields is None or column.removeprefix("by_") in fields


def _floats(column: Any) -> np.ndarray:
    import numpy as np

    return np.ma.filled(np.ma.asarray(column, dtype=float), np.nan)


def _text(column: Any) -> np.ndarray:
    import numpy as np

    return np.ma.filled(np.ma.asarray(column, dtype=object), "").astype(object)


