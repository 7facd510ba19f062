"""The same numbers for a shell: tables that are legible in 100 columns and without colour."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eval_assets.reporting.words import (
    LEVEL,
    MISSING,
    count,
    difference,
    interval,
    number,
    p_value,
    percent,
    remarks,
    score,
    tokens,
    verdict,
    with_interval,
)

if TYPE_CHECKING:
    from rich.table import Table

Data = Mapping[str, Any]
_STRIP = 16  # characters of a drawn interval


def score_table(reports: Iterable[Data]) -> Table:
    """Every metric of each cell report; a task is named once, its primary metric first. Below: what was used."""
    reports = list(reports)
    known = any(m.get("chance") is not None for report in reports for m in report["metrics"].values())
    heads = [">chance,\n%"] if known else []
    table = _table("task", "metric", ">score,\n%", f">{LEVEL} interval", *heads, ">n", ">clusters", ">coverage,\n%")
    used: list[str] = []
    for report in reports:
        for i, (name, m) in enumerate(report["metrics"].items()):
            chance = [percent(m["chance"]) if m.get("chance") is not None else ""] if known else []
            first = report["task"] if i == 0 else ""
            numbers = (score(m), interval(m), *chance, count(m["n"]), count(m["n_clusters"]))
            table.add_row(*_plain(first, _metric(name, m)), *numbers, percent(m["coverage"]))
        table.add_section()
        if (said := tokens(report.get("usage") or {})) != MISSING:
            used.append(f"{report['task']}: {said}")
    table.caption, table.caption_justify = _plain("\n".join(used))[0], "left"
    return table


def comparison_table(entries: Iterable[Data]) -> Table:
    """One row a comparison: who against whom, the paired difference, p raw and adjusted, in words."""
    table = _table("task", "metric", "against", ">difference,\npoints", ">p", ">adjusted", "verdict")
    for e in entries:
        said = {"better": "better", "worse": "worse"}.get(verdict(e).tone, verdict(e).words)
        p = (p_value(e.get("p_value")), p_value(e.get("p_adjusted")))
        table.add_row(*_plain(e["task"], _metric(e["metric"], e), e["b"]), difference(e), *p, said)
    return table


def curve_table(history: Sequence[Data]) -> Table:
    """A run's scores on one task by step, with each interval drawn on the scale that the heading names."""
    known = [number(p.get(k)) for p in history for k in ("value", "ci_low", "ci_high")]
    known = [v for v in known if math.isfinite(v)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    scale = f"{percent(low)} … {percent(high)}"
    table = _table(">step", ">score, %", ">vs first,\npoints", ">vs previous,\npoints", scale)
    for p in history:
        step = count(p["step"]) if p.get("step") is not None else p["checkpoint"]
        pairs = [difference(p[k]) if p.get(k) else "" for k in ("vs_first", "vs_previous")]
        table.add_row(*_plain(step), with_interval(p), *pairs, strip(p, low, high))
    return table


def strip(entry: Data, low: float, high: float, width: int = _STRIP) -> str:
    """An interval drawn in characters: `   ╶──●──╴     `; blank where the value is unknown."""
    value, below, above = (number(entry.get(k)) for k in ("value", "ci_low", "ci_high"))
    if not math.isfinite(value):
        return ""
    span = (high - low) or 1.0

    def place(x: float) -> int:
        return min(width - 1, max(0, round((x - low) / span * (width - 1))))

    cells = [" "] * width
    if math.isfinite(below + above):
        cells[place(below) : place(above) + 1] = "─" * (place(above) + 1 - place(below))
        cells[place(below)], cells[place(above)] = "╶", "╴"
    cells[place(value)] = "●"
    return "".join(cells)


def _metric(name: str, entry: Data) -> str:
    lower = remarks(entry)
    return f"{name} ({lower})" if lower else name


def _table(*heads: str) -> Table:
    """A table whose headings say with `>` that their column is numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for head in heads:
        table.add_column(
            head.removeprefix(">"),
            justify="right" if head.startswith(">") else "left",
            no_wrap=head.startswith(">"),
            overflow="fold",
        )
    return table


def _plain(*texts: str) -> list[Any]:
    """As they are: a name such as `[red]` is not markup."""
    from rich.text import Text

    return [Text(text) for text in texts]
