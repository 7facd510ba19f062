"""`evals power`: what a task can show, before anything is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from eval_assets.cli.common import Json, print_json, store

if TYPE_CHECKING:
    from eval_assets.pipeline.power import Variances
    from task_defs import TaskDef

_FRACTION = "a difference is a fraction above 0 and below 1, such as 0.02 for two points"


def power(
    task: Annotated[str, typer.Option("--task", help="Its name.")],
    effect: Annotated[float, typer.Option(help="True difference to see: 0.02 is two points.")],
    a: Annotated[str | None, typer.Option("--a", help="A scored checkpoint (default: the one scored last).")] = None,
    b: Annotated[
        str | None, typer.Option("--b", help="The other (default: the baseline, else the one before).")
    ] = None,
    variant: Annotated[str, typer.Option(help="Of both cells, such as repeats=4.")] = "",
    omega2: Annotated[
        float | None, typer.Option(help="Given, not stored: variance of items' true differences.")
    ] = None,
    within: Annotated[float, typer.Option(help="With --omega2: variance of one answer within an item.")] = 0.0,
    samples: Annotated[int, typer.Option(min=1, help="With --omega2: answers an item, of both models.")] = 1,
    icc: Annotated[float, typer.Option(help="With --omega2: correlation of true differences in clusters.")] = 0.0,
    cluster_size: Annotated[float, typer.Option(help="With --omega2: mean items a cluster.")] = 1.0,
    items: Annotated[int | None, typer.Option(min=1, help="With --omega2: items (default: the task's).")] = None,
    chance: Annotated[float, typer.Option("--power", help="Chance to see the effect.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Two-sided level of the test.")] = 0.05,
    as_json: Json = False,
) -> None:
    """What difference a task can show, and how many items or samples another one takes."""
    from dataclasses import asdict

    from eval_assets.pipeline.power import advice, given_variances, plan
    from task_defs import load_task

    if not effect > 0:
        raise typer.BadParameter(f"{_FRACTION}, not {effect:g}", param_hint="--effect")
    if omega2 is not None and (a or b or variant):
        raise typer.BadParameter(
            "variances come from --omega2 or from stored cells (--a, --b, --variant), not from both"
        )
    definition = load_task(task)
    if omega2 is None:
        variances = _stored(definition, a, b, variant)
    else:
        given = {"omega2": omega2, "var_a": within, "var_b": within, "k_a": samples, "k_b": samples}
        variances = given_variances(store(), definition, items, **given, icc=icc, cluster_size=cluster_size)
    if effect >= 1 and not variances.own_unit:
        raise typer.BadParameter(f"{_FRACTION}, not {effect:g}", param_hint="--effect")
    try:
        found = plan(definition.task, effect, variances, power=chance, alpha=alpha)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if as_json:
        print_json({**asdict(found), "enough": found.enough, "said": advice(found)})
        return
    typer.echo(f"{found.task}: {advice(found)}.")
    test = f"{100 * chance:g} % power, two-sided test at {100 * alpha:g} %; {found.source}"
    shown = f"{found.detectable:.4g}" if found.own_unit else f"{100 * found.detectable:.1f} points"
    typer.echo(f"What there is shows {shown} or more ({test}).")
    if not found.split and not found.enough:
        typer.echo("Whether more samples an item would do is not known: evaluate both with `--repeats 4` and a")
        typer.echo("temperature, and ask again with `--variant`.")
    elif found.note:
        typer.echo(f"Note: {found.note}.")


def _stored(task: TaskDef, a: str | None, b: str | None, variant: str) -> Variances:
    from eval_assets.pipeline.power import stored_variances, two_cells
    from eval_assets.settings import load_settings

    if bool(a) != bool(b):
        raise typer.BadParameter("name both --a and --b, or neither")
    first, second = (
        (a, b) if a and b else two_cells(store(), task.task, load_settings().baseline_of(task.task), variant)
    )
    return stored_variances(store(), task, first, second, variant)
