"""`evals calibrate`, `evals import-judgements` and `evals judgements`: what a judge that asks models is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eval_assets.cli.common import Checkpoint, Json, Task, print_json, show, store, table


def calibrate(
    checkpoint: Checkpoint,
    task: Task,
    labels: Annotated[
        Path | None, typer.Option(help="CSV, JSONL or Parquet of human verdicts on this checkpoint's answers.")
    ] = None,
    id_field: Annotated[str, typer.Option(help="Field with the item's id.")] = "item_id",
    label_field: Annotated[
        str, typer.Option(help="Field with the verdict: a grade, or a number on the scale.")
    ] = "label",
    forget: Annotated[bool, typer.Option("--forget", help="Drop the verdicts that were imported.")] = False,
    as_json: Json = False,
) -> None:
    """The judge of a cell against people: agreement, what its mean is worth, its length and position bias."""
    from eval_assets.pipeline.calibration import judging_block
    from eval_assets.pipeline.cell import find_checkpoint, plan_cell
    from eval_assets.pipeline.human_labels import forget_labels, import_labels
    from eval_assets.pipeline.item_scores import load_item_scores
    from eval_assets.pipeline.metrics import task_metrics
    from eval_assets.reporting.judging import judging_lines, judging_table
    from task_defs import load_task

    home, definition = store(), load_task(task)
    point = find_checkpoint(home, checkpoint)
    if forget:
        typer.echo(f"{forget_labels(home, checkpoint, task)} human verdicts on {checkpoint} dropped")
        return
    if labels is not None:
        done = import_labels(home, labels, definition, checkpoint, id_field=id_field, label_field=label_field)
        if not as_json:
            typer.echo(f"{done.labels} human verdicts on {done.items} items of {task} kept")
    items = load_item_scores(home, checkpoint, task, fields=())
    block = judging_block(home, plan_cell(home, point, definition), items, task_metrics(definition)[0])
    if as_json:
        print_json({"checkpoint": checkpoint, "task": task, "judging": block})
        return
    if block is None:
        typer.echo(f"the judge of {task} asks no model, and no human verdicts are known: give --labels")
        return
    for line in judging_lines(block):
        typer.echo(line)
    show(judging_table(block))


def import_judgements(
    files: Annotated[list[Path], typer.Argument(help="Judge answers, one run a file: JSONL, Parquet or JSON.")],
    task: Annotated[str, typer.Option(help="The task.")],
    checkpoint: Annotated[str, typer.Option(help="Whose answers were judged.")],
    id_field: Annotated[str, typer.Option(help="Field with the item's id.")] = "item_id",
    text_field: Annotated[str, typer.Option(help="Field with the judge's text, or a list of texts.")] = "text",
    judge: Annotated[str, typer.Option(help="The judge model's name in the task.")] = "default",
    forget: Annotated[bool, typer.Option("--forget", help="Drop what was imported, and ask the judge again.")] = False,
    as_json: Json = False,
) -> None:
    """Keep a judge's recorded answers, so that a published judging is aggregated anew and nobody is asked."""
    from dataclasses import asdict

    from eval_assets.cli.runs import ensure_dataset
    from eval_assets.pipeline.cell import find_checkpoint
    from eval_assets.pipeline.recorded_judgements import forget_judgements
    from eval_assets.pipeline.recorded_judgements import import_judgements as keep
    from task_defs import load_task

    home, definition = store(), load_task(task)
    find_checkpoint(home, checkpoint)
    if forget:
        typer.echo(f"{forget_judgements(home, task, checkpoint)} judge answers on {checkpoint} dropped")
        return
    ensure_dataset(home, definition)
    done = keep(home, files, definition, checkpoint, model=judge, id_field=id_field, text_field=text_field)
    if as_json:
        print_json(asdict(done))
        return
    typer.echo(f"{done.answers} answers of judge {done.model} on {done.checkpoint} kept, {done.runs} runs")
    if done.items_without:
        typer.echo(f"{done.items_without} of {done.items} items have none: they will be unscored")
    if done.unmatched:
        typer.echo(f"rows that match no item: {', '.join(done.unmatched[:5])} ...")
    typer.echo(f"next: evals run --checkpoint {checkpoint} --tasks {task}")


def judgements(
    checkpoint: Checkpoint,
    task: Task,
    item: Annotated[list[str] | None, typer.Option(help="Only these items.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many at most.")] = 10,
    as_json: Json = False,
) -> None:
    """What the judge was shown and what it said, item by item."""
    from eval_assets.pipeline.judgements import judgements_of
    from task_defs import load_task

    found = judgements_of(store(), checkpoint, load_task(task), items=item or [], limit=limit)
    if as_json:
        print_json(found)
        return
    shown = table("item", "judge", "run", "the judge said")
    for row in found:
        said = row["text"] if row["failure"] is None else f"({row['failure']})"
        shown.add_row(row["item_id"], row["judge"] + (f" {row['slot']}" if row["slot"] else ""), str(row["run"]), said)
    show(shown)
