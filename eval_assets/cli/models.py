"""`evals checkpoints`: adding, listing and showing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from eval_assets.cli.common import Json, parse_pairs, print_json, show, store, table
from resources.models import ModelUnusable
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
    """The checkpoint that a name (registered, or of models.yaml), a path or a hub id means, registered.

    Raises ModelUnusable and UnknownCheckpoint.
    """
    from eval_assets.pipeline.cell import find_checkpoint
    from eval_assets.pipeline.registering import from_directory, register
    from resources.models.configured import load_models
    from resources.models.registry import check_model, source_of
    from resources.store.records import checkpoints

    home, entry = store(), load_models().models.get(name)
    if entry is not None:  # as models.yaml has it now, with what is said here over it
        model, args = model or entry.model, {**entry.args, **args}
        source = _absolute(source_of(model, args) or entry.source)
        return register(home, Checkpoint(name, check_model(model), source, args, run=run, step=step))
    if model is None and not args and checkpoints(home).get(checkpoint=name) is not None:
        return find_checkpoint(home, name)
    model = check_model(model or "transformers")
    source = source_of(model, args)
    looks_like_path = Path(name).expanduser().is_dir() or name.startswith((".", "/", "~"))
    if source is None and looks_like_path and Checkpoint("", model, "").has_weights:
        path = Path(name).expanduser()
        if not path.is_dir():
            raise ModelUnusable(f"no directory {path}")
        point = from_directory(path, run=run, model=model, **args)
    elif source is None and model == "transformers" and "/" not in name:
        return find_checkpoint(home, name)  # a plain name that nobody registered: say which there are
    else:
        point = Checkpoint(name, model, _absolute(source) if source else name, args)
    point = replace(point, run=run or point.run, step=step if step is not None else point.step)
    return register(home, point)


def _absolute(source: str) -> str:
    """A folder's path from anywhere; a hub id and an endpoint's name as they are."""
    path = Path(source).expanduser()
    return str(path.resolve()) if path.is_dir() else source


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
