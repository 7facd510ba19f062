"""A cell: one checkpoint on one task, and what it would take to complete it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from eval_assets.pipeline.questions import blind_digest, dataset_record, media_policy, request_digest, shown_digest
from eval_assets.pipeline.shown import shown
from eval_assets.versions import cache_commit, cell_key, settings_key, variant_id
from resources.episodes.registry import player_class
from resources.media import MediaPolicy
from resources.models import LMM, ModelUnusable
from resources.models.budget import Prices
from resources.models.checkpoint import Checkpoint
from resources.models.identity import pinned
from resources.models.reasoning import Tags, tags_of
from resources.models.registry import build_model
from resources.models.sight import cannot_see
from resources.store import Store
from resources.store.outputs import OutputsTable
from resources.store.records import cells, checkpoints
from task_defs import TaskDef


class UnknownCheckpoint(LookupError):
    """No checkpoint of that name is registered; the message has the nearest ones."""


@dataclass(frozen=True)
class Variant:
    """How a run departs from the task's definition; the default does not.

    blind: asked without the media. frames: another number of frames of each video. episode: params of its player that
    differ.
    """

    limit: int | None = None
    repeats: int | None = None
    gen: Mapping[str, Any] = field(default_factory=dict)
    blind: bool = False
    frames: int | None = None
    episode: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return variant_id(self.gen, self.repeats, self.limit, self.blind, self.frames, self.episode)

    def text(self) -> str:
        """As the ledger holds it: JSON, "" for the default."""
        given = {k: v for k, v in asdict(self).items() if v not in (None, {}, False)}
        return json.dumps(given, sort_keys=True) if given else ""

    @classmethod
    def read(cls, text: str) -> Variant:
        return cls(**json.loads(text)) if text else cls()


@dataclass(frozen=True)
class Cell:
    """All that decides a cell's outputs.

    requests: digest of the task's request inputs. media: what is done to its media before this model sees them.
    """

    checkpoint: Checkpoint
    task: TaskDef
    requests: str
    dataset_version: str
    n_items: int
    variant: Variant
    media: MediaPolicy

    def model(self, log: Callable[[str], None] = lambda line: None) -> LMM:
        """The model, not loaded."""
        point = self.checkpoint
        args = dict(point.model_args)
        if point.has_weights:
            args = pinned(point.source, args, point.signature)
        return build_model(
            point.model, point.source, args, task=self.task.task, label=point.key,
            fingerprint=point.fingerprint or "", log=log,
        )  # fmt: skip

    @cached_property
    def engine(self) -> dict[str, Any]:
        return dict(self.model().engine)

    @cached_property
    def gen_kwargs(self) -> dict[str, Any]:
        return {**self.task.generation_kwargs.to_dict(), **self.variant.gen}

    @cached_property
    def reasoning_tags(self) -> Tags:
        """What reasoning stands between in this model's text; decides what is judged, not what is asked."""
        return tags_of(self.checkpoint.model_args.get("reasoning_tags"))

    @cached_property
    def prices(self) -> Prices | None:
        return Prices.of(self.checkpoint.model_args)

    @property
    def repeats(self) -> int:
        return self.variant.repeats or self.task.repeats

    @property
    def n_asked_items(self) -> int:
        limit = self.variant.limit
        return self.n_items if limit is None else min(limit, self.n_items)

    @property
    def by_item(self) -> bool:
        """Whether answers go by item and not by what is asked: recorded ones do."""
        return self.checkpoint.model == "recorded"

    @cached_property
    def settings(self) -> str:
        fingerprint = self.checkpoint.fingerprint
        if fingerprint is None:
            raise ModelUnusable(
                f"checkpoint {self.checkpoint.key!r} has no fingerprint yet: materialize `checkpoint` for it first"
            )
        return settings_key(self.engine, self.gen_kwargs, fingerprint, cache_commit())

    @cached_property
    def key(self) -> str:
        return cell_key(self.requests, self.settings, self.repeats, self.variant.limit)

    def outputs(self, store: Store) -> OutputsTable:
        """The table of responses, by fingerprint: a renamed or copied checkpoint finds them again."""
        return OutputsTable(store.table("outputs", self.task.task, self.checkpoint.fingerprint or ""))

    def details(self) -> dict[str, Any]:
        """What a later plan compares itself with, to say why something is to be done again."""
        return {
            "requests": self.requests,
            "dataset": self.dataset_version,
            "fingerprint": self.checkpoint.fingerprint,
            "engine": self.engine,
            "gen_kwargs": self.gen_kwargs,
            "repeats": self.repeats,
            "limit": self.variant.limit,
        }


def refuse_unanswerable(point: Checkpoint, task: TaskDef, *, blind: bool = False) -> None:
    """Raises ModelUnusable where this kind of model has no answer to this kind of task.

    It takes no weights, items or requests to know, so it comes before any of their cost.
    """
    if blind and point.model == "recorded":
        raise ModelUnusable(
            f"{point.key}: its answers were recorded with the media: a blind run needs the model itself"
        )
    if blind and task.doc_to_visual is None:
        raise ModelUnusable(f"task {task.task} has no media (doc_to_visual): a blind run would be the run there is")
    if task.episode is not None:
        _refuse_unplayable(point, task, blind)
        return
    if point.model == "baseline":
        raise ModelUnusable(f"{point.key} on {task.task}: a baseline plays episodes, and this task asks questions")
    if task.output_type == "generate_until":
        return
    model = build_model(point.model, point.source, dict(point.model_args), task=task.task)
    if model.no_loglikelihood:
        raise ModelUnusable(f"{point.key} on {task.task}: {model.no_loglikelihood}")


def _refuse_unplayable(point: Checkpoint, task: TaskDef, blind: bool) -> None:
    if point.model == "recorded":
        raise ModelUnusable(
            f"{point.key} on {task.task}: an episode goes on from each answer, so recorded ones play none"
        )
    if blind:
        raise ModelUnusable(f"task {task.task} is played: a blind run of it would be another game")
    assert task.episode is not None
    if point.has_weights and player_class(task.episode.player).shows_pictures and cannot_see(point.source):
        raise ModelUnusable(
            f"{point.key} on {task.task}: it takes text only (config.json of {point.source}), and the player "
            f"{task.episode.player!r} shows pictures"
        )


def find_checkpoint(store: Store, key: str) -> Checkpoint:
    """A registered checkpoint; UnknownCheckpoint names the nearest ones."""
    row = checkpoints(store).get(checkpoint=key)
    if row is None:
        from difflib import get_close_matches

        known = [r["checkpoint"] for r in checkpoints(store).rows()]
        near = get_close_matches(key, known, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"{len(known)} are registered."
        raise UnknownCheckpoint(f"no checkpoint {key!r}: {hint} See `evals checkpoints list`, or add it.")
    return Checkpoint.from_record(row)


def plan_cell(store: Store, checkpoint: Checkpoint, task: TaskDef, variant: Variant | None = None) -> Cell:
    """The cell as it stands now. Raises NotIngested and ModelUnusable."""
    record = dataset_record(store, task)
    variant = variant or Variant()
    task = _played_otherwise(task, variant)
    requests = request_digest(store, task)
    media = shown(checkpoint, task, variant.frames, variant.gen, blind=variant.blind)
    if variant.blind:
        requests = blind_digest(requests)
    elif media.changes(["video"]) != media_policy(task).changes(["video"]):
        requests = shown_digest(requests, media)
    return Cell(checkpoint, task, requests, record["version"], record["n_items"], variant, media)


def _played_otherwise(task: TaskDef, variant: Variant) -> TaskDef:
    """The task with the variant's params for its player. Raises ModelUnusable."""
    if not variant.episode:
        return task
    if task.episode is None:
        raise ModelUnusable(f"task {task.task} asks questions (no `episode`): there is no player to give params to")
    params = {**task.episode.params, **variant.episode}
    return task.model_copy(update={"episode": task.episode.model_copy(update={"params": params})})


def record_of(store: Store, cell: Cell, stage: str) -> dict[str, Any] | None:
    """What was recorded when this stage of the cell was last finished."""
    return cells(store).get(checkpoint=cell.checkpoint.key, task=cell.task.task, variant=cell.variant.id, stage=stage)


def finish(
    store: Store, cell: Cell, stage: str, *, key: str, version: str, n_rows: int, run_id: str, details: Any = None
) -> None:
    """Record that a stage is complete: what from, and what came out."""
    cells(store).upsert(
        [
            {
                "checkpoint": cell.checkpoint.key,
                "task": cell.task.task,
                "variant": cell.variant.id,
                "stage": stage,
                "key": key,
                "version": version,
                "n_rows": n_rows,
                "details": json.dumps(cell.details() if details is None else details, sort_keys=True),
                "run_id": run_id,
                "at": datetime.now(UTC),
            }
        ]
    )


def complete_outputs(store: Store, cell: Cell) -> dict[str, Any] | None:
    """The record of complete outputs for exactly this cell, or None.

    A record is a claim: the rows that it counted must be there. The table only grows, so that a
    smaller count means that rows were lost.
    """
    record = record_of(store, cell, "outputs")
    if record is None or record["key"] != cell.key:
        return None
    return record if cell.outputs(store).count() >= record["n_rows"] else None
