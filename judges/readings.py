"""Several readings of one answer, by the runs of one judge model or by a panel, as one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def means(readings: Sequence[Mapping[str, float]], parts: Sequence[str]) -> dict[str, float] | None:
    """Mean of each part over the readings that know it; None without a reading."""
    if not readings:
        return None
    known = {part: [r[part] for r in readings if not math.isnan(r[part])] for part in parts}
    return {part: sum(values) / len(values) if values else math.nan for part, values in known.items()}


def spread(rows: Sequence[Sequence[dict[str, float] | str]]) -> float:
    """Root of the mean over judge models of the variance of one model's scores; NaN with one each."""
    variances = []
    for row in rows:
        scores = [r["score"] for r in row if isinstance(r, dict)]
        if len(scores) > 1:
            mean = sum(scores) / len(scores)
            variances.append(sum((s - mean) ** 2 for s in scores) / (len(scores) - 1))
    return math.sqrt(sum(variances) / len(variances)) if variances else math.nan
