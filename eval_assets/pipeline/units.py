"""What a metric counts: items, or groups of items that score what the worst of them does.

A group in which a member is unscored is unscored, even where another member is wrong already. Its score is
then known, but counting it would keep a damaged group only when it is wrong: of losses at random the mean
would come out too low. What is known of it stands in the bounds instead (`metrics.bounds`).

With several samples an item, the first samples of the members make one score of the group, the second ones another
(as if the benchmark had been run so often), and the group has their mean.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval_assets.pipeline.item_scores import ItemScores

if TYPE_CHECKING:
    import numpy as np

    from eval_assets.pipeline.metrics import TaskMetric


@dataclass(frozen=True)
class Units:
    """rows: (m,) items that the metric is of, those of a group together. starts: where each group begins among
    them, None without groups. clusters: (u,) of the units: groups that share a cluster of items are one.
    with_mean: a group's score is half that of its worst member, half its members' mean.
    """

    rows: np.ndarray
    starts: np.ndarray | None
    clusters: np.ndarray | None
    with_mean: bool = False

    def members(self) -> list[np.ndarray]:
        """(u,) row numbers of the items in each unit."""
        import numpy as np

        return list(self.rows[:, None]) if self.starts is None else np.split(self.rows, self.starts[1:])

    def of(self, scores: ItemScores) -> ItemScores:
        """The units' scores, as if each were an item: of scores on the same items as the units were made from."""
        items = scores.take(self.rows)
        if self.starts is None:
            return items
        import numpy as np

        worst = {name: self._scores(table) for name, table in items.sampled.items()}
        first = items.take(self.starts)
        return ItemScores(
            first.ids, first.hashes, self.clusters, {name: _means(table) for name, table in worst.items()},
            first.by, first.samples, (~np.isnan(worst["score"])).sum(axis=1),
        )  # fmt: skip

    def _scores(self, table: np.ndarray) -> np.ndarray:
        """(u, K) from (m, K) of the members. A NaN is handed on by the minimum as by the sum."""
        import numpy as np

        assert self.starts is not None
        worst = np.minimum.reduceat(table, self.starts, axis=0)
        if not self.with_mean:
            return worst
        sizes = np.diff(self.starts, append=len(table))
        return (worst + np.add.reduceat(table, self.starts, axis=0) / sizes[:, None]) / 2


def units_of(metric: TaskMetric, scores: ItemScores) -> Units:
    """The metric's units. An item without a category (macro_over) or a group (worst_over) is in none of them."""
    import numpy as np

    kept = np.ones(len(scores.ids), dtype=bool)
    for field in metric.macro_over:
        kept &= scores.by[field] != ""
    if not metric.worst_over:
        rows = np.flatnonzero(kept)
        return Units(rows, None, None if scores.clusters is None else scores.clusters[rows])
    kept &= scores.groups[metric.worst_over] >= 0
    rows = np.flatnonzero(kept)
    group = scores.groups[metric.worst_over][rows]
    for field in metric.macro_over:  # a group lies inside one category
        _, category = np.unique(scores.by[field][rows].astype(str), return_inverse=True)
        group = group * (category.max(initial=0) + 1) + category
    order = np.argsort(group, kind="stable")
    rows, group = rows[order], group[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    clusters = None if scores.clusters is None else _connected(scores.clusters[rows], starts)
    return Units(rows, starts, clusters, metric.with_mean)


def strata_of(metric: TaskMetric, units: ItemScores) -> tuple[np.ndarray | None, dict[Hashable, float] | None]:
    """(u,) the category of each unit, and the weight of each category, which sum to 1; None where all weigh alike."""
    import numpy as np

    if not metric.macro_over:
        return None, None
    columns = [units.by[field] for field in metric.macro_over]
    if len(columns) == 1:
        return columns[0], None
    paths = list(zip(*columns, strict=True))
    below: dict[tuple[str, ...], set[str]] = {}  # a category -> those inside it
    for path in set(paths):
        for depth, name in enumerate(path):
            below.setdefault(path[:depth], set()).add(name)
    weights: dict[Hashable, float] = {
        " / ".join(path): math.prod(1 / len(below[path[:depth]]) for depth in range(len(path))) for path in set(paths)
    }
    return np.array([" / ".join(path) for path in paths], dtype=object), weights


def of_whole_units(
    metric: TaskMetric, a: tuple[ItemScores, np.ndarray], b: tuple[ItemScores, np.ndarray]
) -> tuple[ItemScores, ItemScores]:
    """Two sides' scores on the items that they share, without groups of which either side has further members.

    a, b: all scores of a side, and the numbers of its rows that are paired, (k,), in the same order on both.
    """
    kept = whole(metric, *a) & whole(metric, *b)
    return a[0].take(a[1][kept]), b[0].take(b[1][kept])


def whole(metric: TaskMetric, items: ItemScores, rows: np.ndarray) -> np.ndarray:
    """(k,) whether all members of the item's group are among these k rows of the items."""
    import numpy as np

    if not metric.worst_over:
        return np.ones(len(rows), dtype=bool)
    groups = items.groups[metric.worst_over]
    return ~np.isin(groups[rows], np.delete(groups, rows))


def _connected(clusters: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(u,) the cluster of each group: groups and clusters that touch are connected.

    clusters: (m,) of items, those of a group together.
    """
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, code = np.unique(clusters, return_inverse=True)
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(clusters)))
    size = len(starts) + len(names)
    edges = coo_array((np.ones(len(group)), (group, len(starts) + code)), shape=(size, size))
    return connected_components(edges, directed=False)[1][: len(starts)].astype(np.int64)


def _means(table: np.ndarray) -> np.ndarray:
    """(u,) means over samples that are known; NaN where none is."""
    import numpy as np

    known = ~np.isnan(table)
    counts = known.sum(axis=1)
    sums = np.where(known, table, 0.0).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(table), np.nan), where=counts > 0)
