"""A block's figures, one a row: name, value, interval, what it means. For a page and a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from eval_assets.reporting.words import LEVEL, MISSING

if TYPE_CHECKING:
    from rich.table import Table


class Figure(NamedTuple):
    """A row: `kappa`, its value and interval as text, what it means, and what to know of it."""

    name: str
    value: str
    interval: str
    meaning: str
    note: str = ""


def figure(name: str, estimate: Mapping[str, Any], say: Callable[[Any], str], meaning: str) -> Figure:
    """Of an estimate; `say` makes its numbers text."""
    return Figure(name, say(estimate["value"]), interval_of(estimate, say), meaning, estimate["note"] or "")


def interval_of(estimate: Mapping[str, Any], say: Callable[[Any], str]) -> str:
    low, high = say(estimate["ci_low"]), say(estimate["ci_high"])
    return MISSING if low == high == MISSING else f"[{low}, {high}]"


def figure_table(figures: Iterable[Figure]) -> Table:
    """For a terminal; the note of a figure stands where there is no value."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, side in (("figure", "left"), ("value", "right"), (f"{LEVEL} interval", "right"), ("what it is", "left")):
        table.add_column(name, justify=side, no_wrap=side == "right", overflow="fold")  # type: ignore[arg-type]
    for f in figures:
        table.add_row(
            f.name, f.value, f.interval, f"{f.meaning} ({f.note})" if f.value == MISSING and f.note else f.meaning
        )
    return table
