"""What several commands share: the store, printing, parsing of k=v."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import yaml

from resources.store import Store

# What most commands are about.
Checkpoint = Annotated[str, typer.Argument(help="Its key.")]
Task = Annotated[str, typer.Argument(help="A task's name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def store() -> Store:
    return Store()


def print_json(data: Any) -> None:
    from eval_assets.pipeline.files import clean

    typer.echo(json.dumps(clean(data), ensure_ascii=False, indent=2, default=str))


def table(*columns: str, title: str | None = None) -> Any:
    from rich import box
    from rich.table import Table

    made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def show(renderable: Any) -> None:
    from rich.console import Console

    Console(highlight=False).print(renderable)


def parse_pairs(text: str | None, option: str) -> dict[str, Any]:
    """`k=v,k2=v2` with values as YAML reads them (numbers, true, lists); a comma inside brackets is kept."""
    found: dict[str, Any] = {}
    for part in _split(text or ""):
        name, separator, value = part.partition("=")
        if not separator or not name.strip():
            raise typer.BadParameter(f"expected key=value, found {part!r}", param_hint=option)
        found[name.strip()] = yaml.safe_load(value)
    return found


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "[{") - (c in "]}")
        if c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [p for p in (*parts, text[start:]) if p.strip()]


def names(values: Sequence[str]) -> list[str]:
    """`--tasks a,b --tasks c` → a, b, c."""
    return list(dict.fromkeys(n.strip() for v in values for n in v.split(",") if n.strip()))
