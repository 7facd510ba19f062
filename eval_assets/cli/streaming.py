"""`evals sweep-context`: what is left of a stream's score with fewer frames in its context."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from eval_assets.cli.common import Checkpoint, Json, Task, names, print_json, show, store
from eval_assets.cli.models import Model, ModelArgs, resolve
from eval_assets.cli.runs import Runs, ensure_dataset


def sweep_context(
    checkpoint: Checkpoint,
    task: Task,
    policies: Annotated[str, typer.Option(help="window, thinning, changes, all.")] = "window,thinning",
    budgets: Annotated[str, typer.Option(help="Numbers of frames, comma-separated.")] = "2,4,8,16",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N items.")] = None,
    model: Model = None,
    model_args: ModelArgs = None,
    as_json: Json = False,
) -> None:
    """A stream's score by context policy and budget of frames: a curve each, and the area under it."""
    from eval_assets.cli.common import parse_pairs
    from eval_assets.pipeline.cell import refuse_unanswerable
    from eval_assets.pipeline.context_sweep import sweep_variants, write_context_sweep
    from eval_assets.pipeline.planning import need_of
    from eval_assets.reporting.context_sweep import context_terminal, sentences
    from task_defs import load_task

    try:
        sizes = [int(n) for n in names([budgets])]
    except ValueError as error:
        raise typer.BadParameter("numbers of frames, such as 2,8,32", param_hint="--budgets") from error
    definition = load_task(task)
    variants = sweep_variants(definition, names([policies]), sizes, limit)
    point = resolve(checkpoint, model, parse_pairs(model_args, "--model-args"))
    refuse_unanswerable(point, definition)
    runs = Runs()
    runs.identify(point.key)
    ensure_dataset(store(), definition, runs)
    for of_policy in variants.values():
        for variant in of_policy.values():
            if not need_of(store(), point.key, definition, variant).complete:
                sys.stderr.write(f"{point.key} on {definition.task}, {variant.id}\n")
                runs.cell(point.key, definition, variant, judge_only=False)
    data = write_context_sweep(store(), point.key, definition, variants)
    if as_json:
        print_json(data)
        return
    show(context_terminal(data))
    for said in sentences(data):
        typer.echo(said)
    typer.echo(f"page: {data['page']}")
