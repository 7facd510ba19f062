"""Stored verdicts as arrays, one entry an item: what the statistics are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eval_assets.pipeline.scoring import scores_of
from judges import Metric
from resources.store import Store
from resources.store.tables import scan

if TYPE_CHECKING:
    import lance
    import numpy as np
    import pyarrow as pa


class NotScored(LookupError):
    """The cell has no scores yet."""


@dataclass(frozen=True)
class ItemScores:
    """One entry an item, in the data set's order.

    ids:      (n,) of the items, as strings of NumPy's.
    hashes:   (n,) of question and label, 64 bits.
    values:   component -> (n,) mean over the item's scored samples, NaN where none is scored
              ("score" is the primary score).
    clusters: (n,) codes, or None where the task has no clusters.
    by:       report_by field -> (n,) categories ("" where the item has none).
    groups:   worst_over field -> (n,) codes of units, -1 where the item is in none.
    sampled:  component -> (n, K), each sample by itself, NaN unscored; only where there are groups.
    results: (n,) of each item's scored samples, what a metric over all items is computed from; None without such.
    samples, scored: how many samples there are, and how many of them are scored.
    """

    ids: np.ndarray
    hashes: np.ndarray
    clusters: np.ndarray | None
    values: Mapping[str, np.ndarray]
    by: Mapping[str, np.ndarray]
    samples: np.ndarray
    scored: np.ndarray
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    sampled: Mapping[str, np.ndarray] = field(default_factory=dict)
    results: np.ndarray | None = None

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
            {k: v[rows] for k, v in self.groups.items()},
            {k: v[rows] for k, v in self.sampled.items()},
            None if self.results is None else self.results[rows],
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
        """(n,) numerator, and denominator where the metric is a ratio of sums; NaN where it is neither."""
        import numpy as np

        from eval_assets.pipeline.aggregated import is_mean

        assert metric.kind != "corpus", "a statistic of the corpus has no parts of items"
        if metric.aggregate is not None and not is_mean(metric, self):
            return np.full(len(self.ids), np.nan), None  # no item has a part in it that could be added up
        bottom = metric.denominator
        return self.combined(metric.numerator), None if bottom is None else self.combined(bottom)

    def sums(self, metric: Metric) -> np.ndarray:
        """(n, P) what a metric of the corpus sums up."""
        import numpy as np

        return np.column_stack([self.values[name] for name in metric.sums])


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
    """The cell's stored verdicts, averaged over the samples of each item. Raises NotScored."""
    import numpy as np

    dataset = stored_scores(store, checkpoint, task, variant)
    names = dataset.schema.names
    components = {"score": "score"} | {n.removeprefix("value_"): n for n in names if n.startswith("value_")}
    categories = [n for n in names if n.startswith("by_") and _wanted(n, fields)]
    groups = [n for n in names if n.startswith("group_") and fields is None]
    # Verdicts are stored in the data set's order, the samples of an item one after another.
    starts = np.flatnonzero(np.diff(_column(dataset, "position").to_numpy(), prepend=-1))
    score = _column(dataset, "score")
    scored = score.is_valid().to_numpy()
    samples = np.diff(starts, append=len(score))
    return ItemScores(
        ids=_ids(dataset)[starts],
        hashes=_hashes(dataset)[starts],
        clusters=_clusters(_column(dataset, "cluster").take(starts)),
        values={k: _means(_column(dataset, c), scored, starts) for k, c in components.items()},
        by={c.removeprefix("by_"): _text(_column(dataset, c).take(starts)) for c in categories},
        samples=samples,
        scored=np.add.reduceat(scored, starts, dtype=np.int64),
        groups={c.removeprefix("group_"): _codes(_column(dataset, c).take(starts)) for c in groups},
        sampled={k: _sampled(_column(dataset, c), samples) for k, c in components.items()} if groups else {},
        results=_results(dataset, starts) if "results" in names else None,
    )


def _results(dataset: lance.LanceDataset, starts: np.ndarray) -> np.ndarray | None:
    """(n,) tuples of each item's results; None where no sample has any."""
    import numpy as np

    texts = _column(dataset, "results")
    if texts.null_count == len(texts):
        return None
    found = np.empty(len(starts), dtype=object)
    for i, part in enumerate(np.split(np.array(texts.to_pylist(), dtype=object), starts[1:])):
        found[i] = tuple(text for text in part if text is not None)
    return found


def _column(dataset: lance.LanceDataset, name: str) -> pa.ChunkedArray:
    """One column of the verdicts: text of many items is held for one column at a time."""
    import pyarrow as pa

    return pa.chunked_array((batch[name] for batch in scan(dataset, [name])), dataset.schema.field(name).type)


def _wanted(column: str, fields: Sequence[str] | None) -> bool:
    return fields is None or column.removeprefix("by_") in fields


def _means(column: pa.ChunkedArray, scored: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(n,) means over each item's scored samples that have the component; NaN where none has."""
    import numpy as np

    known = scored & column.is_valid().to_numpy()
    sums = np.add.reduceat(np.where(known, column.to_numpy(), 0.0), starts)
    counts = np.add.reduceat(known, starts, dtype=np.int64)
    return np.divide(sums, counts, out=np.full(len(starts), np.nan), where=counts > 0)


def _sampled(column: pa.ChunkedArray, samples: np.ndarray) -> np.ndarray:
    """(n, K), NaN for null; every item has K samples."""
    return column.to_numpy().reshape(len(samples), -1)


def _codes(labels: pa.ChunkedArray) -> np.ndarray:
    """(n,) codes of equal labels, -1 for null."""
    import numpy as np
    import pyarrow.compute as pc

    codes = pc.index_in(labels, value_set=labels.unique().drop_null())
    return pc.fill_null(codes, -1).to_numpy().astype(np.int64)


def _clusters(labels: pa.ChunkedArray) -> np.ndarray | None:
    """(n,) codes; an item without a label is a cluster of its own. None where none has one."""
    import numpy as np
    import pyarrow.compute as pc

    codes = pc.index_in(labels, value_set=labels.unique().drop_null()).to_numpy()
    alone = np.isnan(codes)
    if alone.all():
        return None
    return np.where(alone, len(codes) + np.arange(len(codes)), codes).astype(np.int64)


def _ids(dataset: lance.LanceDataset) -> np.ndarray:
    """Each row's item, as NumPy's own strings: 16 bytes and its text, where an object has 70 bytes more."""
    import numpy as np

    of = np.dtypes.StringDType()
    batches = (np.array(batch["item_id"].to_pylist(), of) for batch in scan(dataset, ["item_id"]))
    return np.concatenate([np.empty(0, of), *batches])


def _hashes(dataset: lance.LanceDataset) -> np.ndarray:
    """The first 64 bits of each row's hash of question and label: 8 bytes, and told apart as surely."""
    import numpy as np

    texts = (text for batch in scan(dataset, ["item_hash"]) for text in batch["item_hash"].to_pylist())
    return np.fromiter((int(text[:16], 16) for text in texts), np.uint64, dataset.count_rows())


def _text(column: pa.ChunkedArray) -> np.ndarray:
    """(n,) strings, "" for null; equal ones are one object."""
    import numpy as np
    import pyarrow.compute as pc

    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    return np.array(encoded.dictionary.to_pylist(), dtype=object)[encoded.indices.to_numpy()]
