"""The leaderboard's rows as asked for: filtered, sorted, compared with a baseline as far as there is time."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from cachetools import LRUCache, cached

from eval_assets.pipeline.comparing import NotComparable, compare_cells, holm
from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.leaderboard import leaderboard_data
from eval_assets.reporting.board import grid
from eval_assets.reporting.words import number, percent, points, with_interval
from resources.store import Store
from resources.store.records import summary
from resources.store.tables import quoted
from task_defs import TaskError, load_task

SHADES = 9
# Seconds that a page spends on comparisons; what is left is computed when the page asks again.
_BUDGET = 0.6


@dataclass(frozen=True)
class Asked:
    """text: in the checkpoint's name; tasks: only these; sort: a task; baseline: a checkpoint."""

    text: str = ""
    tasks: tuple[str, ...] = ()
    sort: str = ""
    baseline: str = ""


def board(store: Store, asked: Asked, budget: float = _BUDGET) -> dict[str, Any]:
    """`grid` with a shade for each cell, and paired differences to the baseline; `pending`: comparisons still to do."""
    rows = leaderboard_data(store)["rows"]
    everything = sorted({r["task"] for r in rows}), sorted({r["checkpoint"] for r in rows})
    versions = {(r["checkpoint"], r["task"]): r["version"] for r in rows}
    rows = [r for r in rows if asked.text.lower() in r["checkpoint"].lower() or r["checkpoint"] == asked.baseline]
    rows = [r for r in rows if not asked.tasks or r["task"] in asked.tasks]
    found = grid({"rows": rows})
    tasks = [c["task"] for c in found["columns"]]
    if asked.sort in tasks:
        at = tasks.index(asked.sort)
        ordered = found["columns"][at]["ordered"]
        found["rows"].sort(key=lambda r: _rank(r["cells"][at], ordered))
    for row in found["rows"]:
        for cell, column in zip(row["cells"], found["columns"], strict=True):
            if cell:
                cell["shade"] = _shade(cell["entry"]["value"], column)
    pending = _compare(store, asked.baseline, found["rows"], tasks, versions, budget) if asked.baseline else 0
    return {**found, "all_tasks": everything[0], "all_checkpoints": everything[1], "pending": pending}


def scores_of(store: Store, checkpoint: str) -> list[tuple[str, str]]:
    """Task and primary score with its interval, in percent, of each cell that has a report."""
    rows = summary(store).rows(f"is_primary AND checkpoint = {quoted(checkpoint)}")
    return sorted((row["task"], with_interval(row)) for row in rows)


def _rank(cell: dict[str, Any] | None, ordered: Sequence[float]) -> int:
    value = number(cell["entry"]["value"]) if cell else math.nan
    return ordered.index(value) if math.isfinite(value) else len(ordered)


def _shade(value: Any, column: dict[str, Any]) -> int:
    """0 (the column's worst) to SHADES (its best); -1 for an unknown score."""
    x, ordered = number(value), column["ordered"]
    if not math.isfinite(x):
        return -1
    best, worst = ordered[0], ordered[-1]
    return SHADES if best == worst else round(SHADES * (x - worst) / (best - worst))


def _compare(
    store: Store, baseline: str, rows: Sequence[dict[str, Any]], tasks: Sequence[str],
    versions: dict[tuple[str, str], str], budget: float,
) -> int:  # fmt: skip
    """Put `against` into the cells; how many there was no time for. Holm's family: the tasks of one checkpoint."""
    end, pending = time.monotonic() + budget, 0
    for row in rows:
        if row["checkpoint"] == baseline:
            continue
        entries: dict[int, dict[str, Any]] = {}
        for i, (cell, task) in enumerate(zip(row["cells"], tasks, strict=True)):
            ours, theirs = versions.get((row["checkpoint"], task)), versions.get((baseline, task))
            if not cell or ours is None or theirs is None:
                continue
            key = (store.root, task, row["checkpoint"], baseline, ours, theirs)
            if key not in _entries and time.monotonic() > end:
                pending += 1
                cell["against"] = {"pending": True}
                continue
            entry = _entry(key)
            if isinstance(entry, str):
                cell["against"] = {"refused": entry}
            else:
                entries[i] = entry
        complete = not any((c or {}).get("against", {}).get("pending") for c in row["cells"])
        for i, entry in zip(entries, holm(list(entries.values())), strict=True):
            row["cells"][i]["against"] = _said(entry, adjusted=complete)
    return pending


def _said(entry: dict[str, Any], *, adjusted: bool) -> dict[str, Any]:
    difference, better = number(entry["mean_diff"]), entry["higher_is_better"] is not False
    p = number(entry["p_adjusted"]) if adjusted else math.nan
    shown = math.isfinite(p) and p < 0.05
    tone = ("better" if (difference > 0) == better else "worse") if shown else "open"
    words = {"better": "better", "worse": "worse", "open": "no difference shown"}[tone] if adjusted else ""
    return {
        "points": points(difference), "interval": f"[{points(entry['ci_low'])}, {points(entry['ci_high'])}]",
        "tone": tone, "words": words, "p": p, "share": percent(difference),
    }  # fmt: skip


_Key = tuple[str, str, str, str, str, str]
_entries: LRUCache[_Key, dict[str, Any] | str] = LRUCache(20_000)


@cached(_entries, lock=Lock())
def _entry(key: _Key) -> dict[str, Any] | str:
    """The comparison of one cell with the baseline's, by the versions of both; in words where it was refused."""
    root, task, a, b, *_ = key
    try:
        return compare_cells(Store(root), load_task(task), a, b)[0]
    except (NotScored, NotComparable, TaskError) as error:
        return str(error)
