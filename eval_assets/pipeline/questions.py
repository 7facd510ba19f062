"""Stored items as a task asks them: rendered, with the digests that keys are made of."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eval_assets.pipeline.ingest import items_of
from eval_assets.versions import digest, digest_sequence, input_hash
from resources.episodes.registry import player_identity
from resources.media import MediaPolicy
from resources.models.base import Message
from resources.store import Store
from resources.store.records import datasets, digests
from task_defs import Item, MediaRef, RenderError, TaskDef, compile_task, label_digest, prompt_digest
from task_defs.placement import PLACEHOLDER

Rows = Iterable[list[dict[str, Any]]]
# Bump when `without_media` makes another question of the same one.
BLIND_VERSION = 1
COLUMNS = ("item_id", "item_hash", "doc", "media", "media_cluster")


class NotIngested(RuntimeError):
    """The task's items are not in the store yet, or were made by another definition."""


@dataclass(frozen=True, slots=True)
class Question:
    """An item and what a model sees of it.

    inputs: hash of that (`input_hash`); continuations: the choices of a log-likelihood task.
    window: the part of its video that is shown, see `MediaPolicy.within`; None: all of it.
    whole: `inputs` as the task defines the question: the same unless it is asked blind, or with other frames than
        the task says. Cells are paired by it.
    failed: why the task's definition makes no question of this row, with the traceback of its function; "": it does.
    Such an item is never sent to a model. Recorded answers to it are judged.
    """

    item: Item
    messages: tuple[Message, ...]
    continuations: tuple[str, ...]
    inputs: str
    whole: str
    window: Mapping[str, float] | None = None
    failed: str = ""


def question(
    task: TaskDef, row: Mapping[str, Any], *, blind: bool = False, media: MediaPolicy | None = None
) -> Question:
    """A stored row, rendered; blind: without its media; media: what is done to them, if not what the task says.

    Raises RenderError where label, choices or cluster cannot be read. Where the prompt cannot be made, it is this
    item's failure (`Question.failed`).
    """
    item = item_of(task, row)
    try:
        asked = _rendered(task, item, media)
    except RenderError as error:
        asked = _unasked(item, error)
    return without_media(asked) if blind and item.media else asked


def _rendered(task: TaskDef, item: Item, media: MediaPolicy | None = None) -> Question:
    kinds = [m.kind for m in item.media if m.sha]
    functions = compile_task(task)
    turns = functions.conversation(item.doc, kinds, item.id, whole=item.missing_media is None)
    messages = tuple(Message(role, parts) for role, parts in turns)
    continuations = _continuations(task, item)
    shas = [m.sha or f"missing: {m.missing}" for m in item.media]
    seen: list[Any] = [[role, parts] for role, parts in turns]
    window = functions.window(item.doc, item.id) if "video" in kinds else None
    if task.episode is not None:
        player = player_identity(task.episode.player, task.episode.params)
        seen.append(["episode", task.episode.model_dump(mode="json"), player])

    def hashed(policy: MediaPolicy) -> str:
        changes = policy.within(window).changes(kinds)
        return input_hash([*seen, ["media", changes]] if changes else seen, shas, continuations)

    whole = hashed(media_policy(task))
    return Question(item, messages, continuations, hashed(media) if media else whole, whole, window)


def _unasked(item: Item, error: RenderError) -> Question:
    """What stands for a question that could not be made. Its hash changes when the question can be made again."""
    cause = error.__cause__
    # Of a template the words say all; a function's author needs the line.
    trace = "".join(traceback.format_exception(cause)[-3:]) if cause is not None and cause.__traceback__ else ""
    shas = [m.sha or f"missing: {m.missing}" for m in item.media]
    inputs = input_hash([["failed"]], shas, ())  # not the words: they have paths in them
    return Question(item, (Message("user", ()),), (), inputs, inputs, failed=f"{error}\n{trace}".strip())


def without_media(asked: Question) -> Question:
    """The question with every medium and every placeholder (`<image2>`) taken out of its messages.

    What is left of a message loses the space at its ends; a message that was only media stays, empty.
    A medium that is missing is not missed: such an item can be asked.
    """
    messages = tuple(Message(m.role, (("text", _text_alone(m)),)) for m in asked.messages)
    seen = [[m.role, m.parts] for m in messages]
    item = replace(asked.item, media=())
    return replace(asked, item=item, messages=messages, inputs=input_hash(seen, [], asked.continuations))


def _text_alone(message: Message) -> str:
    texts = [PLACEHOLDER.sub("", str(value)) for kind, value in message.parts if kind == "text"]
    return "".join(texts).strip()


def blind_digest(requests: str) -> str:
    """Of a task's request inputs without media. requests: `request_digest`, from which they follow."""
    return digest([requests, "blind", BLIND_VERSION])


def shown_digest(requests: str, media: MediaPolicy) -> str:
    """Of a task's request inputs with other frames. requests: `request_digest`, from which they follow."""
    return digest([requests, "media", media.changes(["image", "video"])])


def _continuations(task: TaskDef, item: Item) -> tuple[str, ...]:
    """The texts whose likelihood is asked for: the label, or the choices."""
    if task.scores_target:
        return () if item.target is None else (str(item.target),)
    return item.choices or () if task.output_type != "generate_until" else ()


def media_policy(task: TaskDef) -> MediaPolicy:
    """What is done to the task's media before a model sees them."""
    video = task.video
    return MediaPolicy(video.sampling(), task.min_pixels, task.max_pixels, bool(video.timestamps), video.too_long)


def item_of(task: TaskDef, row: Mapping[str, Any]) -> Item:
    """A stored row as the task's definition of today reads it: label, choices and cluster are derived."""
    functions, doc, item_id = compile_task(task), json.loads(row["doc"]), row["item_id"]
    media = tuple(MediaRef(m["sha"], m["mime"] or "", m["missing"]) for m in row["media"] or ())
    return Item(
        id=item_id,
        doc=doc,
        target=functions.target(doc, item_id),
        choices=functions.choices(doc, item_id),
        media=media,
        cluster=functions.cluster(doc, item_id) or row["media_cluster"],
    )


def questions(
    store: Store,
    task: TaskDef,
    *,
    limit: int | None = None,
    rows: int = 512,
    columns: Sequence[str] = COLUMNS,
    blind: bool = False,
    media: MediaPolicy | None = None,
) -> Iterator[list[Question]]:
    """All questions (or the first `limit`) in order of position, in batches."""
    left = limit
    for batch in items_of(store, task).batches(columns, rows):
        taken = batch if left is None else batch[:left]
        if taken:
            yield [question(task, row, blind=blind, media=media) for row in taken]
        if left is not None:
            left -= len(taken)
            if left <= 0:
                return


def dataset_record(store: Store, task: TaskDef) -> dict[str, Any]:
    """What is known of the task's data set; raises NotIngested."""
    record = datasets(store).get(task=task.task)
    if record is None:
        raise NotIngested(f"task {task.task} has no items in {store.root}: materialize benchmark_dataset for it")
    return record


def request_digest(store: Store, task: TaskDef) -> str:
    """Digest of the task's request inputs, computed once per data set version and prompt."""
    definition = prompt_digest(task)
    if task.episode is not None:
        definition = digest([definition, player_identity(task.episode.player, task.episode.params)])
    return _once(store, task, "requests", definition, _inputs)


def labels_digest(store: Store, task: TaskDef) -> str:
    """Digest of the items' labels, clusters and categories, computed once per definition of them."""
    return _once(store, task, "labels", label_digest(task), _labels)


def _once(
    store: Store, task: TaskDef, kind: str, definition: str, parts: Callable[[TaskDef, Rows], Iterator[str]]
) -> str:
    version = dataset_record(store, task)["version"]
    key = {"task": task.task, "version": version, "kind": kind, "definition": definition}
    known = digests(store).get(**key)
    if known is not None:
        return str(known["digest"])
    found = digest_sequence(parts(task, items_of(store, task).batches(COLUMNS)))
    if dataset_record(store, task)["version"] != version:  # ingested anew while it was read
        return _once(store, task, kind, definition, parts)
    digests(store).upsert([{**key, "digest": found}])
    return found


def _inputs(task: TaskDef, batches: Rows) -> Iterator[str]:
    """Raises RenderError where no row makes a question: that is the definition's fault and not the rows'."""
    first, made = None, 0
    for batch in batches:
        for row in batch:
            asked = question(task, row)
            made += not asked.failed
            first = first or (row if asked.failed else None)
            yield asked.item.id
            yield asked.inputs
    if first is not None and not made:
        _rendered(task, item_of(task, first))


def _labels(task: TaskDef, batches: Rows) -> Iterator[str]:
    functions = compile_task(task)
    for batch in batches:
        for row in batch:
            item = item_of(task, row)
            yield label_hash(item, functions.categories(item.doc, item.id), functions.groups(item.doc, item.id))


def label_hash(item: Item, categories: Mapping[str, str], groups: Mapping[str, str]) -> str:
    """Of what scoring and reporting know of an item beside its question."""
    known = [item.id, item.target, list(item.choices or ()), item.cluster, dict(categories)]
    return digest([*known, dict(groups)] if groups else known)
