"""`evals checkpoints`: adding, listing and showing."""

from __future__ import annotations

import json
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


def show_checkpoint(name: Annotated[str, typer.Argument(help="Its key.")], as_json: Json = False) -> None:
    """What is known of a checkpoint; of recorded answers also where they come from, task by task."""
    from eval_assets.pipeline.cell import find_checkpoint
    from resources.store.records import imports
    from resources.store.tables import quoted

    record = find_checkpoint(store(), name).record()
    rows = imports(store()).rows(f"checkpoint = {quoted(name)}")
    rows = [{**row, **{part: json.loads(row[part]) for part in ("settings", "details")}} for row in rows]
    if as_json:
        print_json({**record, "imports": rows})
        return
    for field, value in record.items():
        if value is not None:
            typer.echo(f"{field}: {value}")
    for row in sorted(rows, key=lambda row: row["task"]):
        typer.echo(
            f"{row['task']}: {row['answers']} answers of {row['model'] or 'a model that is not named'} from "
            f"{row['file']} ({row['format']}, sha256 {row['sha256'][:12]}, {row['at']:%Y-%m-%d})"
        )
        for field, value in row["settings"].items():
            typer.echo(f"  {field}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
