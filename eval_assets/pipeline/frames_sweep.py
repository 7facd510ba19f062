"""A checkpoint's score against the number of frames that it sees of each video, by how long the videos are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.blind import refuse_missing
from eval_assets.pipeline.cell import Cell, Variant, plan_cell
from eval_assets.pipeline.comparing import pair
from eval_assets.pipeline.files import clean, write_json
from eval_assets.pipeline.ingest import media_of
from eval_assets.pipeline.item_scores import ItemScores, load_item_scores
from eval_assets.pipeline.judged_cell import answers_of
from eval_assets.pipeline.metrics import TaskMetric, difference, estimate, own_unit, task_metrics
from eval_assets.pipeline.questions import Question, questions
from eval_assets.pipeline.seeing import has_videos
from eval_assets.pipeline.sweeping import sweep_name
from eval_assets.pipeline.units import of_whole_units
from resources.models import ModelUnusable
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from resources.video import BadVideo, length_of
from stats import adjust_pvalues
from task_defs import TaskDef

if TYPE_CHECKING:
    import numpy as np

FRAMES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
# Ends of groups of lengths in seconds: 15 s, 1, 3, 10 minutes and 1 hour, between which benchmarks of long videos lie.
LENGTHS = (15.0, 60.0, 180.0, 600.0, 3600.0)
_NAMES = ("up to 15 s", "15 s to 1 min", "1 to 3 min", "3 to 10 min", "10 min to 1 h", "longer than 1 h")
ALL, UNKNOWN = "all", "of unknown length"


def write_sweep(
    store: Store, checkpoint: Checkpoint, task: TaskDef, frames: Sequence[int], variant: Variant
) -> dict[str, Any]:
    """What is stored of the variants with these numbers of frames, as JSON and a page; the data, with `page`.

    variant: what else they depart in. Raises NotScored and NotComparable.
    """
    from eval_assets.reporting.frames_sweep import sweep_page

    data = clean(frames_sweep(store, checkpoint, task, frames, variant))
    name = sweep_name(checkpoint.key, variant.limit, "frames-sweep")
    page = store.write_file(sweep_page(data).encode(), "reports", task.task, f"{name}.html")
    write_json(store, data, name, task.task)
    return {**data, "page": page}


def frames_sweep(
    store: Store, checkpoint: Checkpoint, task: TaskDef, frames: Sequence[int], variant: Variant
) -> dict[str, Any]:
    """`groups`: of all items, and of those whose videos are about as long, the points of each: a number of frames, the
    primary metric with its interval, and the paired difference to the fewest frames (`vs_fewest`, p corrected by Holm
    over the points of a group). `asked`: what was sent for each number of frames.
    """
    import numpy as np

    metric, steps = task_metrics(task)[0], sorted(set(frames))
    cells = {n: plan_cell(store, checkpoint, task, replace(variant, frames=n)) for n in steps}
    for cell in cells.values():
        refuse_missing(store, checkpoint.key, task, cell.variant.id, cell.variant.id)
    scores = {n: load_item_scores(store, checkpoint.key, task.task, cell.variant.id) for n, cell in cells.items()}
    lengths = _lengths(store, task, variant.limit)
    first = scores[steps[0]]
    names = np.array([_group(lengths.get(item)) for item in first.ids], dtype=object)
    groups = [(ALL, np.ones(len(names), dtype=bool))]
    found = [(name, names == name) for name in (*_NAMES, UNKNOWN) if (names == name).any()]
    groups += found if len(found) > 1 else []
    what = f"{checkpoint.key} on {task.task} with different numbers of frames"
    return {
        "checkpoint": checkpoint.key,
        "task": task.task,
        "variant": variant.id,
        "metric": metric.name,
        "higher_is_better": metric.higher_is_better,
        "own_unit": own_unit(metric, *scores.values()),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "groups": [_points(name, metric, scores, set(first.ids[rows]), what) for name, rows in groups],
        "lengths": found[0][0] if len(found) == 1 else "",
        "asked": [{"frames": n, **_asked(store, cell)} for n, cell in cells.items()],
    }


def _points(name: str, metric: TaskMetric, scores: dict[int, ItemScores], items: set[str], what: str) -> dict[str, Any]:
    points: list[dict[str, Any]] = []
    first = next(iter(scores.values()))
    for n, all_scores in scores.items():
        rows = _rows(all_scores, items)
        point = {"frames": n, **asdict(estimate(metric, all_scores.take(rows))), "vs_fewest": None}
        if points:
            mine, theirs = pair(all_scores, first, what)
            chosen = _rows(all_scores, items)[mine] & (all_scores.scored[mine] > 0) & (first.scored[theirs] > 0)
            sides = of_whole_units(metric, (all_scores, mine[chosen]), (first, theirs[chosen]))
            point["vs_fewest"] = asdict(difference(metric, *sides))
        points.append(point)
    against = [point["vs_fewest"] for point in points if point["vs_fewest"]]
    adjusted = adjust_pvalues([entry["p_value"] for entry in against]) if against else []
    for entry, p in zip(against, adjusted, strict=True):
        entry["p_adjusted"] = float(p)
    return {"name": name, "items": len(items), "points": points}


def _rows(scores: ItemScores, items: set[str]) -> np.ndarray:
    import numpy as np

    return np.fromiter((item in items for item in scores.ids), bool, len(scores.ids))


def _lengths(store: Store, task: TaskDef, limit: int | None) -> dict[str, float]:
    """Seconds of video that each item shows, where they are known: the longest of its videos, or its part of it."""
    media, of_video, found = media_of(store, task), dict[str, float | None](), {}
    for batch in questions(store, task, limit=limit):
        for asked in batch:
            shas = [m.sha for m in asked.item.media if m.sha and m.kind == "video"]
            for sha in shas:
                if sha not in of_video:
                    try:
                        of_video[sha] = length_of(media.open(sha), sha[:12])
                    except BadVideo:
                        of_video[sha] = None
            known = [seconds for sha in shas if (seconds := of_video[sha]) is not None]
            if known:
                found[asked.item.id] = _part(asked, max(known))
    return found


def _part(asked: Question, seconds: float) -> float:
    window = asked.window or {}
    return max(0.0, min(seconds, window.get("end", seconds)) - window.get("start", 0.0))


def _group(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    return _NAMES[sum(seconds > end for end in LENGTHS)]


def _asked(store: Store, cell: Cell) -> dict[str, Any]:
    """Mean prompt tokens where the model tells them, and how many questions did not fit as they were."""
    stored = cell.outputs(store).lookup("item_id", "sample", "request_key")
    tokens: list[int] = []
    fitted = too_long = rows = 0
    for batch in questions(store, cell.task, limit=cell.variant.limit, media=cell.media):
        for row in answers_of(cell, stored, batch).values():
            rows += 1
            fitted += bool(row.get("fitted"))
            too_long += row["error_kind"] == "too_long"
            tokens += [row["prompt_tokens"]] if row["prompt_tokens"] is not None else []
    mean = sum(tokens) / len(tokens) if tokens else float("nan")
    return {"answers": rows, "prompt_tokens": mean, "with_fewer_frames": fitted, "too_long": too_long}


def refuse_sweep(store: Store, task: TaskDef, frames: Sequence[int]) -> None:
    """Raises ModelUnusable where there is nothing to sweep over."""
    if len(set(frames)) < 2 or min(frames) < 1:
        raise ModelUnusable(f"--frames {','.join(map(str, frames))}: give two numbers of frames or more, such as 8,32")
    if not has_videos(store, task):
        raise ModelUnusable(f"task {task.task} has no videos: there are no frames to sweep over")
