"""`evals engines`: what runs on this machine, what it said, and an end to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from eval_assets.cli.common import Json, print_json, show, store, table
from resources.models import ModelUnusable

SlotName = Annotated[str | None, typer.Argument(help="A slot's name, as `evals engines list` shows it (default: all).")]


def list_engines(as_json: Json = False) -> None:
    """Engine slots of this machine: what each serves, and who holds it or waits."""
    from resources.engines.lease import ask

    found = {folder.name: ask(folder, "status") for folder in _folders(None)}
    if as_json:
        print_json(found)
        return
    shown = table("slot", "serves", "engine", "at", "cells", "starts", "idle, s")
    for name, status in found.items():
        if status is None:
            shown.add_row(name, "nothing", "", "", "", "", "")
            continue
        cells = [f"{t['checkpoint']}{'' if t['holds'] else ' (waits)'}" for t in status["tenants"]]
        serves = status["checkpoint"] or "nothing yet"
        shown.add_row(
            name, serves, status["kind"] or "", status["url"] or "", "\n".join(cells),
            str(status["starts"]), f"{status['idle_seconds']:.1f}",
        )  # fmt: skip
    show(shown)


def logs(
    slot: SlotName = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
    history: Annotated[bool, typer.Option("--history", help="The slot's starts, leases and stops instead.")] = False,
) -> None:
    """The last lines of the latest engine's log in each slot."""
    from resources.engines.server import tail

    for folder in _folders(slot):
        latest = max(folder.glob("engine-*.log"), key=lambda p: p.stat().st_mtime, default=None)
        file = folder / "events.jsonl" if history else latest
        for line in tail(file, lines) if file else []:
            typer.echo(_event(line) if history else line)


def stop(slot: SlotName = None) -> None:
    """End the engines and their hosts; cells that hold one fail and can be run again."""
    from resources.engines.lease import stop_host

    for folder in _folders(slot):
        typer.echo(f"{folder.name}: {'stopped' if stop_host(folder) else 'nothing runs'}")


def qualify_swap(
    a: Annotated[str, typer.Argument(help="A checkpoint: name or folder.")],
    b: Annotated[str, typer.Argument(help="Another one of the same architecture.")],
    task: Annotated[str, typer.Option(help="Its first questions are the canaries.")],
    model: Annotated[str | None, typer.Option(help="The engine, where the checkpoints are folders.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many canaries.")] = 100,
    as_json: Json = False,
) -> None:
    """Show that loading B's weights into A's engine gives B's answers; only then are swaps made."""
    from dataclasses import asdict

    from eval_assets.cli.models import resolve
    from eval_assets.cli.runs import ensure_dataset
    from eval_assets.pipeline.qualifying import qualify_swap as compare
    from eval_assets.pipeline.registering import identify_checkpoint
    from task_defs import load_task

    definition = load_task(task)
    ensure_dataset(store(), definition)
    points = [identify_checkpoint(store(), resolve(name, model, {}).key) for name in (a, b)]
    found = compare(store(), points[0], points[1], definition, limit=limit, log=lambda line: typer.echo(line, err=True))
    if as_json:
        print_json(asdict(found))
    else:
        counts = " and ".join(f"{n} of {found.canaries}" for n in found.equal) or "none"
        typer.echo(f"{found.engine}: {counts} answers equal to a cold start's, there and back; log-probabilities "
                   f"at most {found.largest:.2g} apart. {found.why}")  # fmt: skip
        typer.echo("swaps are on for this architecture" if found.passed else "swaps stay off: engines are restarted")
    if not found.passed:
        raise typer.Exit(1)


def _folders(slot: str | None) -> list[Path]:
    from resources.engines.slots import media_folder, root

    there = sorted(p for p in root().iterdir() if p.is_dir() and p != media_folder())
    if slot is None:
        return there
    found = [p for p in there if p.name == slot]
    if not found:
        raise ModelUnusable(f"no engine slot {slot!r}: there are {', '.join(p.name for p in there) or 'none yet'}")
    return found


def _event(line: str) -> str:
    from datetime import datetime

    event = json.loads(line)
    at = datetime.fromtimestamp(event.pop("at")).strftime("%Y-%m-%d %H:%M:%S")
    return f"{at}  {event.pop('event'):12} " + "  ".join(f"{k}={v}" for k, v in event.items())
