"""Answers to one item, told apart: agreement and the majority."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stats.arrays import Codes, Vector

Answers: TypeAlias = Iterable[Iterable[Hashable]] | npt.NDArray[Any]


def answer_codes(answers: Answers, shape: tuple[int, ...]) -> tuple[Codes, list[Hashable]]:
    """Answers, (n, K) of hashables, as codes, and what they stand for. None and NaN are "no answer", one class."""
    rows = [list(row) for row in (answers.tolist() if isinstance(answers, np.ndarray) else answers)]
    if len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
        lengths = sorted({len(row) for row in rows})
        raise ValueError(f"answers must have the shape of the scores, {shape}, not {len(rows)} rows of {lengths}")
    index: defaultdict[Hashable, int] = defaultdict()
    index.default_factory = index.__len__
    flat = (index[None if answer != answer else answer] for row in rows for answer in row)  # noqa: PLR0124
    return np.fromiter(flat, dtype=np.intp, count=shape[0] * shape[1]).reshape(shape), list(index)


def majority_scores(scores: Vector, codes: Codes) -> Vector:
    """(n,) score of each item's most frequent answer, the mean over those tied; NaN without a scored sample."""
    known = ~np.isnan(scores)
    votes = _votes(codes, known)
    winning = known & (votes == votes.max(axis=1, keepdims=True))
    # Each tied answer counts as one, at the mean score of the samples that gave it; each has as many of them.
    count = winning.sum(axis=1)
    total = np.where(winning, scores, 0).sum(axis=1)
    result: Vector = np.divide(total, count, out=np.full(len(scores), np.nan), where=count > 0)
    return result


def majority_codes(scores: Vector, codes: Codes) -> Codes:
    """(n,) code of the answer that more scored samples gave than any other; -1 where there is none."""
    known = ~np.isnan(scores)
    votes = _votes(codes, known)
    winning = known & (votes == votes.max(axis=1, keepdims=True))
    first = np.take_along_axis(codes, winning.argmax(axis=1)[:, None], axis=1)
    alone = winning.any(axis=1) & (~winning | (codes == first)).all(axis=1)
    return np.where(alone, first[:, 0], -1)


def agree(codes: Codes) -> npt.NDArray[np.bool_]:
    """(n,) whether all K answers are the same."""
    same: npt.NDArray[np.bool_] = (codes == codes[:, :1]).all(axis=1)
    return same


def _votes(codes: Codes, known: npt.NDArray[np.bool_]) -> Codes:
    """(n, K) how many scored samples of the item gave this sample's answer."""
    votes = np.zeros(codes.shape, dtype=np.intp)
    for column in range(codes.shape[1]):  # K passes over (n, K) rather than an (n, K, K) array
        votes += known[:, column : column + 1] & (codes == codes[:, column : column + 1])
    return votes
