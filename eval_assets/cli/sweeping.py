"""`evals sweep-frames`: a score against the number of frames."""

from __future__ import annotations

from typing import Annotated

import typer

from eval_assets.cli.common import Checkpoint, Json, Task, print_json, show, store
from eval_assets.cli.models import Model, ModelArgs, resolve
from eval_assets.cli.runs import Runs, ensure_dataset


def sweep_frames(
    checkpoint: Checkpoint,
    task: Task,
    frames: Annotated[str, typer.Option(help="Numbers of frames, comma-separated.")] = "8,16,32,64,128",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N items.")] = None,
    model: Model = None,
    model_args: ModelArgs = None,
    as_json: Json = False,
) -> None:
    """A checkpoint's score with more and fewer frames of each video, by how long the videos are."""
    from eval_assets.cli.common import parse_pairs
    from eval_assets.pipeline.cell import Variant, refuse_unanswerable
    from eval_assets.pipeline.frames_sweep import refuse_sweep, sweep_name
    from eval_assets.reporting.frames_sweep import sentence, sweep_terminal
    from task_defs import load_task

    try:
        wanted = [int(n) for n in frames.split(",")]
    except ValueError as error:
        raise typer.BadParameter("numbers of frames, such as 8,32,128", param_hint="--frames") from error
    definition = load_task(task)
    point = resolve(checkpoint, model, parse_pairs(model_args, "--model-args"))
    refuse_unanswerable(point, definition)
    runs = Runs()
    runs.identify(point.key)
    ensure_dataset(store(), definition, runs)
    refuse_sweep(store(), definition, wanted)
    runs.frames_sweep(point.key, definition, wanted, limit)
    name = sweep_name(point.key, Variant(limit=limit))
    data = store().read_json("reports", definition.task, f"{name}.json") or {}
    if as_json:
        print_json(data)
        return
    show(sweep_terminal(data))
    typer.echo(sentence(data))
    typer.echo(f"page: {store().file('reports', definition.task, name + '.html')}")
