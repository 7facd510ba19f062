"""`evals checkpoints` and `evals import-answers`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eval_assets.cli.common import Json, parse_pairs, print_json, show, store, table
from resources.models.checkpoint import Checkpoint

Model = Annotated[
    str | None,
    typer.Option("--model", help="transformers, openai, recorded, vllm, sglang, or an engine by name"),
]
ModelArgs = Annotated[str | None, typer.Option("--model-args", "--model_args", help="k=v,k=v")]


def add(
    name: Annotated[str, typer.Argument(help="Its key, `<run>.<step>` or a plain name; or a path or hub id.")],
    model: Model = None,
    model_args: ModelArgs = None,
    run: Annotated[str | None, typer.Option(help="The training run it belongs to.")] = None,
    step: Annotated[int | None, typer.Option(help="Its training step.")] = None,
    as_json: Json = False,
) -> None:
    """Register a checkpoint; nothing is loaded."""
    point = resolve(name, model, parse_pairs(model_args, "--model-args"), run=run, step=step)
    print_json(point.record()) if as_json else typer.echo(f"{point.key}: {point.model} {point.source}")


def list_checkpoints(as_json: Json = False) -> None:
    """Every registered checkpoint."""
    from resources.store.records import checkpoints

    rows = sorted(checkpoints(store()).rows(), key=lambda r: (r["run"] or "", r["step"] or 0, r["checkpoint"]))
    if as_json:
        print_json(rows)
        return
    shown = table("checkpoint", "model", "source", "fingerprint")
    for row in rows:
        shown.add_row(row["checkpoint"], row["model"], row["source"], (row["fingerprint"] or "not hashed yet")[:12])
    show(shown)


def resolve(
    name: str, model: str | None, args: dict[str, Any], *, run: str | None = None, step: int | None = None
) -> Checkpoint:
    """The checkpoint that is meant, registered."""
    from eval_assets.pipeline.naming import checkpoint_of
    from eval_assets.pipeline.registering import register

    return register(store(), checkpoint_of(store(), name, model, args, run=run, step=step))


def import_answers(
    file: Annotated[Path, typer.Argument(help="JSONL or Parquet, one answer a row.")],
    task: Annotated[str, typer.Option(help="The task that was answered.")],
    name: Annotated[str, typer.Option(help="The checkpoint's name from now on.")],
    response_field: Annotated[str, typer.Option(help="Field with the answer; dots lead into nested fields.")],
    id_field: Annotated[
        str | None, typer.Option(help="Field with the item's id, or one whose values the items have too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep recorded answers (another harness's log) as a checkpoint that is judged like any other."""
    from dataclasses import asdict

    from eval_assets.cli.runs import ensure_dataset
    from eval_assets.pipeline.importing import import_answers as keep
    from task_defs import load_task

    definition = load_task(task)
    ensure_dataset(store(), definition)
    done = keep(store(), file, definition, name, id_field=id_field, response_field=response_field)
    if as_json:
        print_json(asdict(done))
        return
    typer.echo(f"{done.checkpoint}: {done.answers} answers to {done.items} items of {done.task} ({done.matched_by})")
    if done.items_without:
        typer.echo(f"{done.items_without} items have no recorded answer: they will be unscored")
    if done.unmatched:
        typer.echo(f"rows that match no item: {', '.join(done.unmatched[:5])} ...")
    typer.echo(f"next: evals run --checkpoint {done.checkpoint} --tasks {done.task}")
