"""How steady a model is over several samples an item, for a page and a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eval_assets.reporting.figures import Figure, figure, figure_table
from eval_assets.reporting.words import LEVEL, count, decimal, percent

if TYPE_CHECKING:
    from rich.table import Table

Data = Mapping[str, Any]


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
    return [figure(name, estimate, say, words) for name, estimate, say, words in rows]


def heading(block: Data) -> str:
    """`5 samples an item at temperature 0.7, 304 items in 300 clusters, 95 % intervals`."""
    at = "" if block["temperature"] is None else f" at temperature {block['temperature']:g}"
    clusters = f" in {count(block['n_clusters'])} clusters" if block["n_clusters"] != block["n"] else ""
    note = f"; {block['note']}" if block["note"] else ""
    return f"{block['k']} samples an item{at}, {count(block['n'])} items{clusters}, {LEVEL} intervals{note}"


def stability_table(block: Data) -> Table:
    """The same for a terminal."""
    return figure_table(figures(block))


def _plain(value: Any) -> str:
    return decimal(value, 3)
