"""Whether a model can be shown a task's videos at all: said before weights are loaded or anything is asked."""

from __future__ import annotations

import json
import re
from pathlib import Path

from eval_assets.pipeline.cell import Cell
from eval_assets.pipeline.ingest import items_of, media_of
from resources.models import ModelUnusable
from resources.store import Store
from task_defs import TaskDef

# What the configuration of a model that sees pictures names somewhere: vision_config, mm_vision_tower, img_processor...
_EYES = re.compile(r"vision|visual|image|img|vq", re.IGNORECASE)
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def refuse_unseen(store: Store, cell: Cell) -> None:
    """Raises ModelUnusable where the task has videos and this model takes none, as they are sent to it.

    An episode's player makes pictures of a video itself.
    """
    if cell.by_item or cell.variant.blind or cell.task.episode is not None or not has_videos(store, cell.task):
        return
    where = f"{cell.checkpoint.key} on {cell.task.task}"
    if not cell.media.samples("video"):
        if no_video := cell.model().no_video:
            raise ModelUnusable(f"{where}: {no_video}")
    elif cell.checkpoint.has_weights and text_only(Path(cell.checkpoint.source)):
        raise ModelUnusable(
            f"{where}: the task shows frames of videos, and {cell.checkpoint.source} is a model of text alone "
            "(its config.json names no vision part and there is no processor): use one that sees, or `--blind`"
        )


def has_videos(store: Store, task: TaskDef) -> bool:
    """Whether any of the task's items has one."""
    # The table of media only grows: it may hold videos of rows that are no more.
    return "video" in media_of(store, task).kinds() and any(
        (medium["mime"] or "").startswith("video/")
        for batch in items_of(store, task).batches(("media",))
        for row in batch
        for medium in row["media"] or ()
    )


def text_only(folder: Path) -> bool:
    """Whether a folder of weights is surely of a model that sees no pictures; False where that is not known."""
    try:
        config = (folder / "config.json").read_text()
        json.loads(config)
    except (OSError, ValueError):
        return False
    return not any((folder / name).exists() for name in _PROCESSORS) and not _EYES.search(config)
