"""`evals curve`: the learning curve of a training run, and two runs compared."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from eval_assets.cli.common import Json, names, print_json, show, store
from eval_assets.cli.runs import Runs


def curve(
    run: Annotated[str, typer.Argument(help="Name of a training run: what stands before the step in its keys.")],
    tasks: Annotated[list[str] | None, typer.Option("--tasks", help="Task or suite names, comma-separated.")] = None,
    against: Annotated[str | None, typer.Option("--against", help="Another run: paired by step and item.")] = None,
    as_json: Json = False,
) -> None:
    """Levels, paired differences with a simultaneous band, the best checkpoint, and what has changed."""
    from eval_assets.settings import load_settings

    suites = load_settings().suites
    wanted = list(dict.fromkeys(t for name in names(tasks or []) for t in suites.get(name, (name,))))
    if against is None:
        _curve(run, wanted, as_json)
    else:
        _pair(run, against, wanted, as_json)


def _curve(run: str, wanted: list[str], as_json: bool) -> None:
    from eval_assets.pipeline.item_scores import NotScored
    from eval_assets.pipeline.learning_curve import stored_curve
    from eval_assets.settings import load_settings

    found = stored_curve(store(), run, load_settings())
    if found is None:
        Runs().learning_curve(run)
        found = stored_curve(store(), run, load_settings())
        assert found is not None, "the run that has just ended wrote the curve"
    shown: dict[str, Any] = found.data["tasks"]
    if unknown := [task for task in wanted if task not in shown]:
        why = "; ".join(found.data["absent"].get(task, f"run {run} has no report on {task}") for task in unknown)
        raise NotScored(f"{why}. It has {', '.join(shown)}")
    chosen = {task: shown[task] for task in wanted or shown}
    if as_json:
        print_json({**found.data, "tasks": chosen})
        return
    from eval_assets.reporting.curve import curve_terminal
    from eval_assets.reporting.curve_words import sentences

    for entry in chosen.values():
        show(curve_terminal(entry))
        typer.echo("\n".join([*sentences(entry), *entry["notes"], "* survives correction"]) + "\n")
    for task, why in found.data["absent"].items():
        typer.echo(f"{task} is left out: {why}")
    typer.echo(f"page: {found.page}")


def _pair(run: str, against: str, wanted: list[str], as_json: bool) -> None:
    from eval_assets.pipeline.run_pairs import compare_runs, write_run_comparison

    home = store()
    data = compare_runs(home, run, against, wanted or None)
    written = write_run_comparison(home, data)
    if as_json:
        print_json(data)
        return
    from eval_assets.reporting.curve import pair_terminal
    from eval_assets.reporting.curve_words import pair_sentence

    for task in data["tasks"].values():
        show(pair_terminal(task, run, against))
        typer.echo("\n".join([pair_sentence(task, run, against), *task["notes"], "* survives correction"]) + "\n")
    for task, why in data["absent"].items():
        typer.echo(f"{task} is left out: {why}")
    typer.echo(f"page: {written['page']}")
