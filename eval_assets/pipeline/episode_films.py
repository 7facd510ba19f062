"""Films of stored episodes, and which of them stand in a report."""

from __future__ import annotations

from typing import Any

from eval_assets.pipeline.item_scores import stored_scores
from eval_assets.pipeline.replaying import Replay, Replays
from eval_assets.reporting.episodes import data_url
from eval_assets.reporting.film import MOST, Frame, film
from resources.store import Store

_SHOWN = 3


def film_of(replays: Replays, replay: Replay, most: int | None = None) -> bytes:
    """The episode as a GIF. most: at most so many frames. Raises ValueError where no step shows a picture."""
    seen = [step for step in replay.steps if step.picture]
    pictures = replays.media.read([step.picture for step in seen])
    shown = [
        Frame(pictures[step.picture], step.number, step.action, step.reward)
        for step in seen
        if replays.media.mime(step.picture).startswith("image/")
    ]
    return film(shown, replay.said, good=replay.end == "success", most=most)


def shown_films(store: Store, checkpoint: str, task: str) -> list[dict[str, Any]]:
    """One episode that succeeded and one of each of the most frequent failures: item, sample, how it ended, its film
    as the address of a picture. [] where episodes show no pictures.
    """
    replays, found = Replays(store, checkpoint, task), []
    for item_id, sample in _examples(store, checkpoint, task):
        replay = next(r for r in replays.of(item_id) if r.sample == sample)
        if replay.filmed:
            gif = data_url(film_of(replays, replay, MOST))
            found.append(
                {"item": item_id, "sample": sample, "said": replay.said, "steps": len(replay.steps), "gif": gif}
            )
    return found


def _examples(store: Store, checkpoint: str, task: str) -> list[tuple[str, int]]:
    """(item, sample): of every way to end the first in the data set's order; success first, then by frequency."""
    columns = ["item_id", "sample", "position", "answer", "score"]
    rows = stored_scores(store, checkpoint, task, "").to_table(columns=columns).to_pylist()
    first: dict[str, tuple[str, int]] = {}
    often: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: (row["position"], row["sample"])):
        if row["score"] is not None:
            first.setdefault(row["answer"], (row["item_id"], row["sample"]))
            often[row["answer"]] = often.get(row["answer"], 0) + 1
    ordered = sorted(first, key=lambda end: (end != "success", -often[end], end))
    return [first[end] for end in ordered[:_SHOWN]]
