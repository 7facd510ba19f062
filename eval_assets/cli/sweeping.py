"""`evals sweep-frames` and `evals sweep-context`: a score against what a model is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eval_assets.cli.common import Checkpoint, Json, Task, names, parse_pairs, print_json, show, store
from eval_assets.cli.models import Model, ModelArgs, resolve
from eval_assets.cli.runs import Runs, ensure_dataset
from task_defs import TaskDef

if TYPE_CHECKING:
    from rich.table import Table

Limit = Annotated[int | None, typer.Option(min=1, help="Only the first N items.")]


def sweep_frames(
    checkpoint: Checkpoint,
    task: Task,
    frames: Annotated[str, typer.Option(help="Numbers of frames, comma-separated.")] = "8,16,32,64,128",
    limit: Limit = None,
    model: Model = None,
    model_args: ModelArgs = None,
    as_json: Json = False,
) -> None:
    """A checkpoint's score with more and fewer frames of each video, by how long the videos are."""
    from eval_assets.pipeline.frames_sweep import refuse_sweep
    from eval_assets.reporting.frames_sweep import sentence, sweep_terminal
    from task_defs import load_task

    wanted, definition = _numbers(frames, "--frames"), load_task(task)
    key, runs = _ready(checkpoint, definition, model, model_args)
    refuse_sweep(store(), definition, wanted)
    runs.sweep("frames_sweep", key, definition, {"frames": wanted}, limit)
    _tell(key, definition, limit, "frames-sweep", as_json, sweep_terminal, lambda data: [sentence(data)])


def sweep_context(
    checkpoint: Checkpoint,
    task: Task,
    policies: Annotated[str, typer.Option(help="window, thinning, changes, relevant, model, all.")] = "window,thinning",
    budgets: Annotated[str, typer.Option(help="Numbers of frames, comma-separated.")] = "2,4,8,16",
    limit: Limit = None,
    model: Model = None,
    model_args: ModelArgs = None,
    as_json: Json = False,
) -> None:
    """A stream's score by context policy and budget of frames: a curve each, and the area under it."""
    from eval_assets.pipeline.context_sweep import sweep_variants
    from eval_assets.reporting.context_sweep import context_terminal, sentences
    from task_defs import load_task

    wanted = {"policies": names([policies]), "budgets": _numbers(budgets, "--budgets")}
    definition = load_task(task)
    sweep_variants(
        definition, wanted["policies"], wanted["budgets"], limit
    )  # what cannot be is refused before any cost
    key, runs = _ready(checkpoint, definition, model, model_args)
    runs.sweep("context_sweep", key, definition, wanted, limit)
    _tell(key, definition, limit, "context-sweep", as_json, context_terminal, sentences)


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(n) for n in names([text])]
    except ValueError as error:
        raise typer.BadParameter("numbers of frames, such as 2,8,32", param_hint=option) from error


def _ready(checkpoint: str, task: TaskDef, model: str | None, model_args: str | None) -> tuple[str, Runs]:
    """The checkpoint's key, identified, with the task's items in the store."""
    from eval_assets.pipeline.cell import refuse_unanswerable

    point = resolve(checkpoint, model, parse_pairs(model_args, "--model-args"))
    refuse_unanswerable(point, task)
    runs = Runs()
    runs.identify(point.key)
    ensure_dataset(store(), task, runs)
    return point.key, runs


def _tell(
    key: str,
    task: TaskDef,
    limit: int | None,
    what: str,
    as_json: bool,
    table: Callable[[Mapping[str, Any]], Table],
    sentences: Callable[[Mapping[str, Any]], list[str]],
) -> None:
    """What the sweep that has just ended wrote."""
    from eval_assets.pipeline.sweeping import sweep_name

    name = sweep_name(key, limit, what)
    data = store().read_json("reports", task.task, f"{name}.json") or {}
    if as_json:
        print_json(data)
        return
    show(table(data))
    for said in sentences(data):
        typer.echo(said)
    typer.echo(f"page: {store().file('reports', task.task, name + '.html')}")
