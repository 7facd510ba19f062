"""How steady a model is over several samples an item, for a page and a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from eval_assets.reporting.words import LEVEL, MISSING, count, decimal, percent

if TYPE_CHECKING:
    from rich.table import Table

Data = Mapping[str, Any]


class Figure(NamedTuple):
    """A row: `EA`, its value and interval as text, and what it means."""

    name: str
    value: str
    interval: str
    meaning: str
    note: str


def figures(block: Data) -> list[Figure]:
    """The rows of a report's `stability` block. Variances are plain numbers, all else is in percent."""
    k = block["k"]
    rows = [
        ("EA", block["ea"], percent, "expected accuracy: mean score of all samples, %"),
        ("CA", block["ca"], percent, "consensus accuracy: score of the majority answer, %"),
        ("IV", block["iv"], _plain, "internal variance: mean variance within an item; lower is steadier"),
        ("CR", block["cr"], percent, f"consistency rate: items whose {k} answers all agree, %; falls with K"),
        ("between", block["between_variance"], _plain, "variance between items, their noise taken out"),
        ("worst case", block["worst_case"], percent, f"mean of each item's lowest score, %; K = {k}"),
    ]
    for sign, sizes, words in (("@", "pass_at_k", "at least one of"), ("^", "pass_hat_k", "all of")):
        several = {m: estimate for m, estimate in block[sizes].items() if m != "1"}  # of one sample it is EA
        rows += [(f"pass{sign}{m}", e, percent, f"{words} {m} samples right, %") for m, e in several.items()]
    return [Figure(name, say(e["value"]), _interval(e, say), words, e["note"] or "") for name, e, say, words in rows]


def heading(block: Data) -> str:
    """`5 samples an item at temperature 0.7, 304 items in 300 clusters, 95 % intervals`."""
    at = "" if block["temperature"] is None else f" at temperature {block['temperature']:g}"
    clusters = f" in {count(block['n_clusters'])} clusters" if block["n_clusters"] != block["n"] else ""
    note = f"; {block['note']}" if block["note"] else ""
    return f"{block['k']} samples an item{at}, {count(block['n'])} items{clusters}, {LEVEL} intervals{note}"


def stability_table(block: Data) -> Table:
    """The same for a terminal."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, side in (("figure", "left"), ("value", "right"), (f"{LEVEL} interval", "right"), ("what it is", "left")):
        table.add_column(name, justify=side, no_wrap=side == "right", overflow="fold")  # type: ignore[arg-type]
    for f in figures(block):
        table.add_row(f.name, f.value, f.interval, f"{f.meaning} ({f.note})" if f.value == MISSING else f.meaning)
    return table


def _plain(value: Any) -> str:
    return decimal(value, 3)


def _interval(estimate: Data, say: Any) -> str:
    low, high = say(estimate["ci_low"]), say(estimate["ci_high"])
    return MISSING if low == high == MISSING else f"[{low}, {high}]"
