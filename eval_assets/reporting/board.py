"""A leaderboard's rows as a grid of checkpoints by tasks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from eval_assets.reporting.words import count, direction, interval, number, percent, score, with_interval

Data = Mapping[str, Any]


def grid(data: Data) -> dict[str, Any]:
    """`columns` (task, metric, n, range), `rows` (checkpoint and one cell a column, None where unmeasured).

    Checkpoints with the most tasks come first, among these by mean rank; the best known score of a
    column is marked. An average over tasks is not made: they do not measure the same thing.
    """
    keys = list(dict.fromkeys((r["task"], r["metric"]) for r in data["rows"]))
    cells = {(r["checkpoint"], r["task"], r["metric"]): r for r in data["rows"]}
    names = list(dict.fromkeys(r["checkpoint"] for r in data["rows"]))
    columns = [_column(key, [r for r in data["rows"] if (r["task"], r["metric"]) == key]) for key in keys]
    found = {name: [cells.get((name, *key)) for key in keys] for name in names}
    rows = [
        {"checkpoint": name, "run": _first(of, "run"), "step": _first(of, "step"), "cells": of}
        for name, of in sorted(found.items(), key=lambda pair: (*_place(pair[1], columns), pair[0]))
    ]
    return {"columns": columns, "rows": [{**r, "cells": _said(r["cells"], columns)} for r in rows]}


def _column(key: tuple[str, str], rows: list[Data]) -> dict[str, Any]:
    known = [number(r["value"]) for r in rows if math.isfinite(number(r["value"]))]
    better = rows[0].get("higher_is_better", True) is not False
    ends = [number(r[k]) for r in rows for k in ("value", "ci_low", "ci_high")]
    ends = [v for v in ends if math.isfinite(v)] or [0.0, 1.0]
    return {
        "task": key[0],
        "metric": key[1],
        "direction": direction(better),
        "ordered": sorted(known, reverse=better),
        "low": min(ends),
        "high": max(ends) if max(ends) > min(ends) else min(ends) + 0.01,
        "size": Counter(_size(r) for r in rows).most_common(1)[0][0],
    }


def _size(row: Data) -> str:
    clusters = "" if row["n_clusters"] in (None, row["n"]) else f" in {count(row['n_clusters'])} clusters"
    return f"n = {count(row['n'])}{clusters}"


def _place(cells: list[Data | None], columns: list[dict[str, Any]]) -> tuple[int, float]:
    ranks = [
        c["ordered"].index(number(cell["value"]))
        for cell, c in zip(cells, columns, strict=True)
        if cell and math.isfinite(number(cell["value"]))
    ]
    return (-len(ranks), sum(ranks) / len(ranks) if ranks else 0.0)


def _said(cells: list[Data | None], columns: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    return [
        None
        if cell is None
        else {
            "entry": cell,
            "value": score(cell),
            "both": with_interval(cell),
            "interval": interval(cell),
            "size": "" if column["size"] == _size(cell) else _size(cell),
            "coverage": "" if number(cell["coverage"]) == 1 else percent(cell["coverage"]),
            "best": column["ordered"][:1] == [number(cell["value"])],
        }
        for cell, column in zip(cells, columns, strict=True)
    ]


def _first(cells: list[Data | None], name: str) -> Any:
    return next((cell[name] for cell in cells if cell), None)
