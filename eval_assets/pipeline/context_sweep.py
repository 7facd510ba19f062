"""How a stream's score falls with its budget of frames, for each policy that spends it: from stored variants."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_args

from eval_assets.pipeline.cell import Cell, Variant, find_checkpoint, plan_cell
from eval_assets.pipeline.comparing import NotComparable
from eval_assets.pipeline.files import clean, write_json
from eval_assets.pipeline.item_scores import ItemScores, NotScored, load_item_scores, stored_scores
from eval_assets.pipeline.memory_curve import memory_curve
from eval_assets.pipeline.metrics import TaskMetric, estimate, own_unit, task_metrics
from eval_assets.pipeline.sweeping import sweep_name
from resources.episodes.stream_params import Policy
from resources.models import ModelUnusable
from resources.store import Store
from resources.store.outputs import OutputsTable
from stats import height_weights, mean_estimate, paired_difference, paired_ratio_difference, ratio_estimate
from task_defs import TaskDef

if TYPE_CHECKING:
    import numpy as np

POLICIES: tuple[str, ...] = get_args(Policy)
BUDGETS = (2, 4, 8, 16)


def sweep_variants(
    task: TaskDef, policies: Sequence[str], budgets: Sequence[int], limit: int | None
) -> dict[str, dict[int | None, Variant]]:
    """Policy -> budget -> variant; `all` takes no budget. Raises ModelUnusable where there is nothing to sweep over."""
    if task.episode is None or task.episode.player != "stream":
        raise ModelUnusable(f"task {task.task} is no stream (`episode: {{player: stream}}`): it has no context policy")
    if unknown := [p for p in policies if p not in POLICIES]:
        raise ModelUnusable(f"no policy {unknown[0]!r}: there are {', '.join(POLICIES)}")
    if not budgets or min(budgets) < 1:
        raise ModelUnusable("a budget is a number of frames from 1 on, such as --budgets 2,4,8")
    wanted: dict[str, dict[int | None, Variant]] = {}
    for policy in dict.fromkeys(policies):
        sizes: list[int | None] = [None] if policy == "all" else sorted(set(budgets))
        wanted[policy] = {b: Variant(limit, episode={"policy": policy, "budget": b}) for b in sizes}
    return wanted


def write_context_sweep(
    store: Store, checkpoint: str, task: TaskDef, variants: Mapping[str, Mapping[int | None, Variant]]
) -> dict[str, Any]:
    """`context_sweep` as JSON and a page beside it; the data, with `page`. Raises NotScored and NotComparable."""
    from eval_assets.reporting.context_sweep import context_page

    data = clean(context_sweep(store, checkpoint, task, variants))
    name = sweep_name(checkpoint, data["limit"], "context-sweep")
    page = store.write_file(context_page(data).encode(), "reports", task.task, f"{name}.html")
    write_json(store, data, name, task.task)
    return {**data, "page": page}


def context_sweep(
    store: Store, checkpoint: str, task: TaskDef, variants: Mapping[str, Mapping[int | None, Variant]]
) -> dict[str, Any]:
    """For each metric its `curves`: policy -> points (budget, estimate), the area under them, the area's difference to
    the first policy's. Of its largest budget, policy -> `latencies`, seconds from event to answer, and `memory`, see
    `memory_curve`.

    An area is the mean height over log2 of the budget, of items that are scored at every budget.
    Raises NotScored and NotComparable.
    """
    point = find_checkpoint(store, checkpoint)
    cells = {
        (policy, budget): plan_cell(store, point, task, variant)
        for policy, of_policy in variants.items()
        for budget, variant in of_policy.items()
    }
    scores = {at: _scores(store, cell) for at, cell in cells.items()}
    first = next(iter(scores.values()))
    if any(list(s.ids) != list(first.ids) for s in scores.values()):
        raise NotComparable(f"{checkpoint} on {task.task}: the variants were not run on the same items")
    largest = {policy: max(of_policy, key=lambda b: b or 0) for policy, of_policy in variants.items()}
    return {
        "checkpoint": checkpoint,
        "task": task.task,
        "limit": next(iter(cells.values())).variant.limit,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "metrics": [_curves(metric, variants, scores) for metric in task_metrics(task)],
        "latencies": {policy: _latencies(store, cells[policy, budget]) for policy, budget in largest.items()},
        "memory": {policy: memory_curve(store, cells[policy, budget]) for policy, budget in largest.items()},
        "largest": largest,
    }


def _scores(store: Store, cell: Cell) -> ItemScores:
    try:
        return load_item_scores(store, cell.checkpoint.key, cell.task.task, cell.variant.id)
    except NotScored as error:
        raise NotScored(f"{error} (variant {cell.variant.id})") from error


def _curves(
    metric: TaskMetric,
    variants: Mapping[str, Mapping[int | None, Variant]],
    scores: Mapping[tuple[str, int | None], ItemScores],
) -> dict[str, Any]:
    own = own_unit(metric, *scores.values())
    said = {**({"own_unit": True} if own else {}), "higher_is_better": metric.higher_is_better, "metric": metric.name}
    curves: list[dict[str, Any]] = []
    areas: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    clusters = next(iter(scores.values())).clusters
    for policy, of_policy in variants.items():
        points = [{"budget": b, **asdict(estimate(metric, scores[policy, b])), **said} for b in of_policy]
        curve = {"policy": policy, "points": points, "area": None, "difference": None}
        found = _area(metric, [(b, scores[policy, b]) for b in of_policy if b is not None])
        if found is not None:
            top, bottom = found
            area = (
                mean_estimate(top, clusters, own_unit=own)
                if bottom is None
                else ratio_estimate(top, bottom, clusters, own_unit=own)
            )
            curve["area"] = {**asdict(area), **said}
            if areas:
                curve["difference"] = {**asdict(_difference(found, next(iter(areas.values())), clusters, own)), **said}
            areas[policy] = found
        curves.append(curve)
    return {"name": metric.name, **said, "curves": curves}


def _area(
    metric: TaskMetric, measured: Sequence[tuple[int, ItemScores]]
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """(n,) numerators and denominators of the area's ratio; None where there is no curve, or no ratio of sums whose
    denominators are the same at each budget (a mean latency is of other events at each).
    """
    import numpy as np

    if len(measured) < 2 or metric.metric.kind not in ("mean", "ratio") or metric.macro_over or metric.worst_over:
        return None
    weights = height_weights([math.log2(budget) for budget, _ in measured])
    parts = [scores.parts(metric.metric) for _, scores in measured]
    top = np.sum([weight * part[0] for weight, part in zip(weights, parts, strict=True)], axis=0)
    if parts[0][1] is None:
        return top, None
    bottoms = np.stack([np.asarray(part[1]) for part in parts])
    known = np.isfinite(bottoms).all(axis=0)
    if not (bottoms[:, known] == bottoms[0, known]).all() or not bottoms[0, known].any():
        return None
    return top, np.where(known, bottoms[0], np.nan)


def _difference(
    one: tuple[np.ndarray, np.ndarray | None], other: tuple[np.ndarray, np.ndarray | None], clusters: Any, own: bool
) -> Any:
    if one[1] is None or other[1] is None:
        return paired_difference(one[0], other[0], clusters, own_unit=own)
    return paired_ratio_difference(one[0], one[1], other[0], other[1], clusters)


def _latencies(store: Store, cell: Cell) -> list[float]:
    """Seconds from each event that was told of to the answer that told it."""
    rows = stored_scores(store, cell.checkpoint.key, cell.task.task, cell.variant.id)
    keys = ("item_id", "sample", "request_key")
    wanted = {tuple(r[k] for k in keys) for r in rows.to_table(columns=list(keys)).to_pylist()}
    outputs: OutputsTable = cell.outputs(store)
    texts = {tuple(r[k] for k in keys): r["text"] for r in outputs.lookup(*keys).find(wanted)}
    lines = [line for text in texts.values() if text for line in json.loads(text)["details"].get("asked", ())]
    return sorted(line["latency"] for line in lines if line.get("latency") is not None)
