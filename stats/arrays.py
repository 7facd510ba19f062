"""Inputs made uniform: float vectors, the mask of scored items, labels as integer codes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from itertools import compress
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float64]
Codes: TypeAlias = npt.NDArray[np.intp]
Mask: TypeAlias = npt.NDArray[np.bool_]
Labels: TypeAlias = Iterable[Hashable] | npt.NDArray[Any]


def vector(values: npt.ArrayLike, name: str) -> Vector:
    """`values` as floats, shape (n,). None and NaN mean unscored; infinite values are an error."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one value per item, shape (n,), not {array.shape}")
    if np.isinf(array).any():
        raise ValueError(f"{name} holds infinite values: mark an unscored item with NaN instead")
    return array


def scored(**columns: Vector) -> Mask:
    """True where no column is NaN, shape (n,). Columns of different length are an error."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"one value per item in each is needed, but the lengths are {lengths}")
    mask: Mask = np.logical_and.reduce([~np.isnan(column) for column in columns.values()])
    return mask


def is_binary(values: Vector) -> bool:
    """True where every value is 0 or 1."""
    return bool(((values == 0) | (values == 1)).all())


def is_share(top: Vector, bottom: Vector) -> bool:
    """True where no item counts below 0 or for more than its denominator, so that the ratio of sums is in [0, 1]."""
    return bool(((top >= 0) & (top <= bottom)).all())


class Clusters(NamedTuple):
    """codes: (n,) cluster of each kept item, 0..number-1; note: what the reader must know of them, or ""."""

    codes: Codes
    number: int
    note: str = ""


def encode(labels: Labels, n: int, name: str) -> tuple[Codes, list[Hashable]]:
    """Labels as codes 0..k-1, shape (n,), and the k labels that they stand for."""
    codes, found = _numbered(labels, n, name)
    if any(_is_missing(label) for label in found):
        raise ValueError(f"{name} lacks a label (None or NaN) for some items: give each of them its own")
    return codes, found


def cluster_codes(clusters: Labels | None, keep: Mask) -> Clusters:
    """Clusters of the kept items; None: each item is its own. An item without a label (None, NaN) is its own, too."""
    kept = int(keep.sum())
    if clusters is None:
        return Clusters(np.arange(kept, dtype=np.intp), kept)
    if not isinstance(clusters, np.ndarray):
        clusters = list(clusters)
    if len(clusters) != len(keep):
        raise ValueError(f"clusters must have one label per item: {len(keep)} items, {len(clusters)} labels")
    if kept < len(keep):  # a cluster of unscored items only is none
        clusters = clusters[keep] if isinstance(clusters, np.ndarray) else compress(clusters, keep.tolist())
    codes, found = _numbered(clusters, kept, "clusters")
    missing = [code for code, label in enumerate(found) if _is_missing(label)]
    if not missing:
        return Clusters(codes, len(found))
    alone = np.isin(codes, missing)
    named, codes[~alone] = np.unique(codes[~alone], return_inverse=True)
    lost = int(alone.sum())
    codes[alone] = len(named) + np.arange(lost)
    items = "item has no cluster id and is a cluster" if lost == 1 else "items have no cluster id and are clusters"
    return Clusters(codes, len(named) + lost, f"{lost} {items} of {'its' if lost == 1 else 'their'} own")


def _numbered(labels: Labels, n: int, name: str) -> tuple[Codes, list[Hashable]]:
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "iu" and labels.shape == (n,):
        found, codes = np.unique(labels, return_inverse=True)
        return codes, found.tolist()
    items: list[Hashable] = labels.tolist() if isinstance(labels, np.ndarray) else list(labels)
    if len(items) != n:
        raise ValueError(f"{name} must have one label per item: {n} items, {len(items)} labels")
    # A dictionary that numbers what it does not know: any hashables, and strings faster than by sorting.
    index: defaultdict[Hashable, int] = defaultdict()
    index.default_factory = index.__len__
    codes = np.fromiter(map(index.__getitem__, items), dtype=np.intp, count=n)
    return codes, list(index)


def _is_missing(label: Hashable) -> bool:
    return label is None or label != label  # noqa: PLR0124 - NaN is not itself


def join_notes(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is a probability such as 0.95, not {level}")
