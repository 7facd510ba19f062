"""`evals episode`: one episode step by step, or as a film."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from eval_assets.cli.common import Checkpoint, Json, Task, print_json, show, store, table


def episode(
    checkpoint: Checkpoint,
    task: Task,
    item: Annotated[str, typer.Argument(help="The item's id.")],
    sample: Annotated[int, typer.Option(min=0, help="Which of the item's samples, from 0.")] = 0,
    variant: Annotated[str, typer.Option(help="Of these answers ('limit=100'); default: the cell itself.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write a film (GIF) there.")] = None,
    as_json: Json = False,
) -> None:
    """An episode step by step: what was asked, answered and done; --out: as a film."""
    from eval_assets.pipeline.episode_films import film_of
    from eval_assets.pipeline.replaying import Replays

    replays = Replays(store(), checkpoint, task, variant)
    found = next((replay for replay in replays.of(item) if replay.sample == sample), None)
    if found is None or not found.steps:
        raise typer.BadParameter(f"{checkpoint} on {task} has no episode of item {item!r}, sample {sample}")
    if out is not None:
        try:
            gif = film_of(replays, found)
        except ValueError as error:
            raise typer.BadParameter(f"{error}: leave out --out", param_hint="--out") from error
        out.write_bytes(gif)
        typer.echo(f"{out}: {len(found.steps)} steps, {found.said}")
        return
    if as_json:
        print_json(asdict(found) | {"said": found.said})
        return
    shown = table("step", "answer", "action", "reward")
    for step in found.steps:
        reward = "" if step.reward is None else f"{step.reward:g}"
        answer = step.answer if len(step.answer) <= 200 else step.answer[:200] + "…"
        action = f"none: {step.info.get('problem', '')}" if step.action is None else step.action
        shown.add_row(str(step.number), answer, action, reward)
    show(shown)
    typer.echo(f"{item}, sample {sample}: {found.said}")
