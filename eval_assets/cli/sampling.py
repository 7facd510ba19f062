"""`evals stability`, `evals diagnose` and `evals blind`: what a score means, from what is stored."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from eval_assets.cli.common import Checkpoint, Json, Task, names, print_json, show, store, table


def stability(
    checkpoint: Checkpoint,
    task: Task,
    variant: Annotated[
        str | None, typer.Option(help="Of these samples ('repeats=5'); default: the cell, or its latest with samples.")
    ] = None,
    as_json: Json = False,
) -> None:
    """How steady a checkpoint is over the samples of each item: EA, CA, IV, CR, pass@k, pass^k, worst case."""
    from eval_assets.pipeline.stability import how_asked, one_sample, sampled_variant, stability_block
    from eval_assets.reporting.stability import heading, stability_table

    home = store()
    chosen = sampled_variant(home, checkpoint, task) if variant is None else variant
    found = stability_block(home, checkpoint, task, chosen, **how_asked(home, checkpoint, task, chosen))
    if found is None:
        raise one_sample(checkpoint, task)
    if as_json:
        print_json({"checkpoint": checkpoint, "task": task, "variant": chosen, **found})
        return
    named = f" ({chosen})" if chosen else ""
    typer.echo(f"{checkpoint} on {task}{named}: {heading(found)}")
    show(stability_table(found))


def diagnose(
    task: Task,
    checkpoints: Annotated[list[str] | None, typer.Option("--checkpoints", help="Only these, comma-separated.")] = None,
    high_variance: Annotated[float | None, typer.Option(help="From which variance on a model wavers.")] = None,
    shown: Annotated[int, typer.Option(min=1, help="Items of each pattern on the page.")] = 50,
    as_json: Json = False,
) -> None:
    """The questions worth a human's look, over all models: a page with pictures, labels and every answer."""
    from eval_assets.pipeline.diagnostics import diagnose as look
    from eval_assets.pipeline.diagnostics import write_diagnostics
    from eval_assets.reporting.diagnostics import TITLES
    from task_defs import load_task

    definition = load_task(task)
    if high_variance is not None and not high_variance > 0:
        raise typer.BadParameter("a variance is above 0, such as 0.15", param_hint="--high-variance")
    data = look(store(), definition, names(checkpoints or []), high_variance=high_variance, shown=shown)
    page = write_diagnostics(store(), definition, data)
    for out in data["left_out"]:
        sys.stderr.write(f"evals: left out: {out['checkpoint']}: {out['why']}\n")
    if as_json:
        print_json(data)
        return
    listed = table("pattern", "items", "what it may mean")
    for pattern, n in data["counts"].items():
        listed.add_row(TITLES[pattern], str(n), data["meaning"][pattern])
    show(listed)
    if data["note"]:
        typer.echo(data["note"])
    typer.echo(f"page: {page}")


def blind(
    checkpoint: Checkpoint,
    task: Task,
    variant: Annotated[str, typer.Option(help="Of the side with media, such as 'limit=100'.")] = "",
    as_json: Json = False,
) -> None:
    """How much of a score needs the media: the cell against its blind run, item by item."""
    from eval_assets.pipeline.blind import blind_comparison
    from eval_assets.pipeline.files import report_name
    from eval_assets.reporting.blind import blind_sentence
    from task_defs import load_task

    home = store()
    entries = blind_comparison(home, checkpoint, load_task(task), variant)
    report = home.read_json("reports", task, f"{report_name(checkpoint, variant)}.json") or {}
    for entry in entries:
        chance = report.get("metrics", {}).get(entry["metric"], {}).get("chance")
        if chance is not None:
            entry["chance"] = chance
        entry["sentence"] = blind_sentence(entry, chance)
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        typer.echo(entry["sentence"])
    if entries[0]["only_blind"]:
        typer.echo(f"{entries[0]['only_blind']} items have a score only without media and are left out")
