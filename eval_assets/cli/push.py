"""`evals push`: what is already evaluated, to where trainers look."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from eval_assets.cli.common import Json, names, print_json, show, store, table


def push(
    target: Annotated[str, typer.Argument(metavar="CHECKPOINT|RUN", help="A checkpoint's key, or a run's name.")],
    to: Annotated[list[str] | None, typer.Option("--to", help="Only these kinds: wandb, mlflow, tensorboard.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what a tracker was told before.")] = False,
    as_json: Json = False,
) -> None:
    """Push scores with intervals to the trackers of evals.yaml, at the training step."""
    from dataclasses import asdict

    from eval_assets.pipeline.tracking import push_checkpoints, reported
    from eval_assets.settings import SettingsError, config_path, load_settings

    trackers = load_settings().trackers
    if not trackers:
        raise SettingsError(f"{config_path()} names no `trackers`: see docs/trackers.md")
    chosen = names(to or [])
    if unknown := set(chosen) - {t.kind for t in trackers}:
        there = ", ".join(sorted({t.kind for t in trackers}))
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: {config_path()} names {there}", param_hint="--to")
    home = store()
    keys = reported(home, target)
    wanted = [t for t in trackers if not chosen or t.kind in chosen]
    done = push_checkpoints(home, keys, wanted, configured=trackers, again=again, log=_say)
    if as_json:
        print_json([asdict(p) for p in done])
        return
    shown = table("tracker", "run", "checkpoints", "values", "where")
    for p in done:
        shown.add_row(p.tracker, p.series, str(p.checkpoints), str(p.values), p.place)
    show(shown)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
