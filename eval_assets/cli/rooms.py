"""`evals rooms`: rooms with exact truth, filmed for the task `spatial_rooms`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from eval_assets.cli.common import Json, print_json


def rooms(
    folder: Annotated[Path, typer.Argument(help="Where they go: EVAL_DATA/spatial_rooms.")],
    seed: Annotated[int, typer.Option(help="Equal seeds give equal rooms.")] = 0,
    levels: Annotated[str, typer.Option(help="Difficulties from 1 to 5: '1-5', '2', '1,4'.")] = "1-5",
    per_level: Annotated[int, typer.Option("--rooms", help="Rooms of each level.")] = 5,
    questions: Annotated[int, typer.Option(help="Questions of each type in a room, at most.")] = 2,
    size: Annotated[str, typer.Option(help="Width x height of the videos, pixels.")] = "640x480",
    fps: Annotated[int, typer.Option(help="Frames a second.")] = 8,
    as_json: Json = False,
) -> None:
    """Furnish and film rooms, with VSI-Bench's questions and their exact answers. Rooms that are there are kept."""
    import sys

    from resources.rooms.write import Plan, make_rooms

    plan = Plan(seed, _levels(levels), per_level, questions, _size(size), fps)
    rows = make_rooms(folder, plan, lambda line: sys.stderr.write(f"{line}\n"))
    scenes = {row["scene_name"] for row in rows}
    if as_json:
        print_json({"folder": str(folder), "rooms": len(scenes), "questions": len(rows)})
        return
    typer.echo(f"{folder}: {len(rows)} questions about {len(scenes)} rooms")
    typer.echo("next: evals run --checkpoint CHECKPOINT --tasks spatial_rooms  (EVAL_DATA names the folder above it)")
    typer.echo(f"baselines: evals import-answers {folder}/answers/oracle.jsonl --task spatial_rooms --name oracle "
               "--id-field id --response-field text  (also random, glance)")  # fmt: skip


def _levels(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d)(?:-(\d))?\s*", part)
        if not ends:
            raise typer.BadParameter(f"expected levels such as 1-5 or 1,3, found {text!r}", param_hint="--levels")
        found += range(int(ends[1]), int(ends[2] or ends[1]) + 1)
    return tuple(dict.fromkeys(found))


def _size(text: str) -> tuple[int, int]:
    sides = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if not sides:
        raise typer.BadParameter(f"expected width x height such as 640x480, found {text!r}", param_hint="--size")
    return int(sides[1]), int(sides[2])
