"""`evals run` and `evals ingest`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eval_assets.cli.common import Json, names, parse_pairs, print_json, show, store
from eval_assets.cli.models import Model, ModelArgs, resolve
from eval_assets.cli.runs import RunFailed, Runs, ensure_dataset

if TYPE_CHECKING:
    from eval_assets.pipeline.cell import Variant
    from eval_assets.settings import Settings
    from resources.models.checkpoint import Checkpoint
    from task_defs import TaskDef


def ingest(
    tasks: Annotated[list[str], typer.Argument(help="Task names.")],
    as_json: Json = False,
) -> None:
    """Bring the stored items of tasks up to their source."""
    from resources.store.records import datasets
    from task_defs import load_task
    from task_defs.lmms_eval import leaves
    from task_defs.sources.locate import how_to_get

    for task in [load_task(leaf) for name in names(tasks) for leaf in leaves(name)]:
        Runs().dataset(task)
        row = datasets(store()).get(task=task.task) or {}
        told = ("task", "version", "source", "n_items", "n_missing_media", "n_media", "media_bytes")
        done = {k: row.get(k) for k in told}
        quarantined = json.loads(row.get("quarantined") or "[]")
        if as_json:
            print_json({**done, "quarantined": quarantined})
            continue
        typer.echo(f"{task.task}: {done['n_items']} items, {done['n_media']} media ({done['media_bytes']} bytes)")
        typer.echo(f"  from {done['source']}")
        if done["n_missing_media"]:
            lacking = f"{done['n_missing_media']} items lack a medium: they are judged only from recorded answers"
            typer.echo(f"  {lacking}{how_to_get(task)}")
        for entry in quarantined[:10]:
            typer.echo(f"  quarantined row {entry['position']}: {entry['reason']}")


def run(
    checkpoint: Annotated[str, typer.Option(help="Its name, a path or a hub id.")],
    tasks: Annotated[list[str], typer.Option(help="Task or suite names, comma-separated.")],
    model: Model = None,
    model_args: ModelArgs = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N items (a variant).")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Samples an item (a variant).")] = None,
    gen: Annotated[str | None, typer.Option(help="Generation parameters k=v,k=v (a variant).")] = None,
    blind: Annotated[bool, typer.Option("--blind", help="The questions without their media (a variant).")] = False,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames of each video (a variant).")] = None,
    episode: Annotated[str | None, typer.Option(help="Params of the player k=v,k=v (a variant).")] = None,
    judge_only: Annotated[bool, typer.Option("--judge-only", help="Judge what is stored; ask no model.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Put the cells into the ledger for the daemon.")] = False,
    as_json: Json = False,
) -> None:
    """Evaluate a checkpoint on tasks and print the scores with their intervals."""
    from eval_assets.pipeline.cell import Variant, refuse_unanswerable
    from eval_assets.pipeline.checkpoint_report import outdated_reports
    from eval_assets.pipeline.judge_models import refuse_unjudgeable
    from eval_assets.pipeline.planning import need_of
    from eval_assets.settings import load_settings
    from resources.models import ModelUnusable
    from task_defs import GenerationKwargs, TaskError, load_task
    from task_defs.lmms_eval import leaves

    settings = load_settings()
    named = [t for name in names(tasks) for t in settings.suites.get(name, (name,))]
    wanted = list(dict.fromkeys(leaf for name in named for leaf in leaves(name)))
    failures: dict[str, str] = {}
    definitions = []
    for name in wanted:
        try:
            definitions.append(load_task(name))
        except TaskError as error:
            if name in named:  # what was asked for by name is mended before hours go by
                raise
            failures[name] = str(error)  # a group's task that needs something that is not there
    point = resolve(checkpoint, model, parse_pairs(model_args, "--model-args"))
    played = parse_pairs(episode, "--episode")
    drawn = GenerationKwargs.overrides(parse_pairs(gen, "--gen"))
    variant = Variant(limit, repeats, drawn, blind, frames, played)
    if detach:
        _detach(point.key, [task.task for task in definitions], variant)
        _tell(failures)
        return
    runs = Runs()
    runs.identify(point.key)
    for task in definitions:
        try:
            refuse_unanswerable(point, task, blind=blind)
            refuse_unjudgeable(store(), point.key, task)
            ensure_dataset(store(), task, runs)
            if need_of(store(), point.key, task, variant, baseline=settings.baseline_of(task.task)).complete:
                _gate_again(point, task, variant, settings)
            else:
                runs.cell(point.key, task, variant, judge_only=judge_only)
        except (RunFailed, ModelUnusable, TaskError) as error:  # one task must not stop the others
            failures[task.task] = str(error)
    try:
        if point.key in outdated_reports(store()) and not variant.id:
            runs.checkpoint_report(point.key)
    except RunFailed as error:
        failures["checkpoint_report"] = str(error)
    finally:
        runs.tracked(point.key)  # also where the gate fails
    _finish(point.key, [t.task for t in definitions if t.task not in failures], variant, failures, as_json)


def _gate_again(point: Checkpoint, task: TaskDef, variant: Variant, settings: Settings) -> None:
    """A complete cell runs no more; whether it passes its gate is looked up."""
    from eval_assets.pipeline.gating import stopped_by, stored_decisions

    sys.stderr.write(f"{point.key} on {task.task}: complete, nothing to run\n")
    if not variant.id and (stopped := stopped_by(stored_decisions(store(), point, task, settings))):
        raise RunFailed("; ".join(stopped))


def _detach(checkpoint: str, tasks: list[str], variant: Variant) -> None:
    from eval_assets.pipeline.ledger import Wish, wish_for

    wish_for(store(), [Wish(checkpoint, task, "shell", variant=variant.text()) for task in tasks])
    typer.echo(f"{len(tasks)} cells of {checkpoint} are wanted: the daemon (`make ui`) runs them, see `evals queue`")


def _finish(checkpoint: str, done: list[str], variant: Any, failures: dict[str, str], as_json: bool) -> None:
    from eval_assets.pipeline.files import report_name

    reports = [store().read_json("reports", task, f"{report_name(checkpoint, variant.id)}.json") for task in done]
    if as_json:
        print_json({"reports": reports, "failures": failures})
    elif reports:
        from eval_assets.reporting import score_table

        show(score_table(reports))
        if variant.blind:
            typer.echo("against the scores with media: " + ", ".join(f"`evals blind {checkpoint} {t}`" for t in done))
        if not variant.id:
            typer.echo(f"page: {store().file('reports', report_name(checkpoint) + '.html')}")
    _tell(failures)


def _tell(failures: dict[str, str]) -> None:
    """Each task that failed and why; then the exit code is 1."""
    for task, why in failures.items():
        sys.stderr.write(f"evals: {task}: {why}\n")
    if failures:
        sys.exit(1)
