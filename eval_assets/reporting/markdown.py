"""Reports as GitHub-style Markdown, as Dagster's UI shows it.

Its viewer drops raw HTML and shows SVG from a data URI, so plots are images; it has a light and a dark
theme, so they carry their own background.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eval_assets.reporting import view
from eval_assets.reporting.board import grid
from eval_assets.reporting.plots import interval_plot, learning_curve
from eval_assets.reporting.words import LEVEL, checkpoint_name, count, percent

Data = Mapping[str, Any]
# An event's metadata lives in Dagster's database: no more rows than one reads there.
_MOST_ROWS = 50
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!$&])")


def cell_markdown(report: Data, comparisons: Sequence[Data] = ()) -> str:
    """One cell: metrics with intervals, comparisons, breakdowns, flags, and a plot."""
    parts = [f"**{plain(report['checkpoint'])}** on **{plain(report['task'])}**", _metrics(report)]
    if comparisons:
        parts.append(_comparisons([view.comparison_cells(e, report["run"]) for e in comparisons], report["run"]))
    for part in view.breakdowns(report):
        if len(part["rows"]) <= _MOST_ROWS:
            parts.append(f"By {plain(part['field'])}, {plain(part['lead'])}:")
            parts.append(image(f"{part['lead']} by {part['field']}", interval_plot(part["plotted"])))
        parts.append(_breakdown(part))
    if not report["by"] and len(report["metrics"]) > 1:
        parts.append(image("all metrics", interval_plot(view.metric_rows(report))))
    parts.append(_left_out(report))
    return "\n\n".join(parts) + "\n"


def checkpoint_markdown(data: Data) -> str:
    """One checkpoint: a table of tasks, who it is compared with, learning curves."""
    shown = view.columns(data)
    heads = ["task", "metric", "score, %", f"{LEVEL} interval", "n", "clusters", "coverage, %"]
    heads += [f"vs {plain(c['name'])} ({c['roles']}), points" for c in shown]
    rows = [
        [plain(r["task"]), plain(r["metric"]), r["value"], r["interval"], r["n"], r["n_clusters"], r["coverage"]]
        + [_against(c) for c in r["comparisons"]]
        for r in view.headline(data)
    ]
    parts = [f"**{plain(data['checkpoint'])}**", table(heads, rows, left=2)]
    parts += [f"- {plain(said)}" for said in view.summaries(data)]
    if data["missing"]:
        parts.append(f"Without a report yet: {plain(', '.join(data['missing']))}")
    for task, history in data["history"].items():
        if len(history) > 1:
            parts.append(image(f"{task} by step", learning_curve(history, view.baseline_level(data, task))))
    return "\n\n".join(parts) + "\n"


def leaderboard_markdown(data: Data) -> str:
    """Checkpoints by tasks; the best score of a column in bold."""
    found = grid(data)
    if not found["rows"]:
        return "No report yet.\n"
    heads = ["checkpoint"] + [
        f"{plain(c['task'])} {plain(c['metric'])}, %" + (f" ({c['direction']})" if c["direction"] else "")
        for c in found["columns"]
    ]
    rows = [[plain(r["checkpoint"]), *(_board_cell(c) for c in r["cells"])] for r in found["rows"][:_MOST_ROWS]]
    more = len(found["rows"]) - len(rows)
    return table(heads, rows, left=1) + (f"\n\nand {more} more: see the page" if more > 0 else "") + "\n"


def _board_cell(cell: Data | None) -> str:
    if cell is None:
        return "–"
    said = f"**{cell['value']}**{cell['both'].removeprefix(cell['value'])}" if cell["best"] else cell["both"]
    return _brackets(said + (f", coverage {cell['coverage']} %" if cell["coverage"] else ""))


def _metrics(report: Data) -> str:
    heads = ["metric", "score, %", f"{LEVEL} interval", "n", "clusters", "coverage, %"]
    rows = []
    for name, m in report["metrics"].items():
        cells = view.score_cells(m)
        label = plain(name) + (f" ({cells['direction']})" if cells["direction"] else "")
        rows.append([label, cells["value"], cells["interval"], cells["n"], cells["n_clusters"], cells["coverage"]])
    return table(heads, rows, left=1)


def _comparisons(cells: Iterable[Data], run: str | None) -> str:
    heads = ["metric", "against", "difference, points", "p", "verdict"]
    rows = [
        [plain(c["metric"]), plain(checkpoint_name(c["b"], run)), c["difference"], c["p"], plain(c["said"].text)]
        for c in cells
    ]
    return table(heads, rows, left=2)


def _against(cell: Data) -> str:
    if cell["said"] is None:
        return "not compared"
    return f"{cell['difference']}, {plain(cell['said'].text)}"


def _breakdown(part: Data) -> str:
    rows = [[plain(r["label"]), r["n"], *r["scores"]] for r in part["rows"][:_MOST_ROWS]]
    more = len(part["rows"]) - len(rows)
    said = table([plain(part["field"]), "n", *(f"{plain(m)}, %" for m in part["metrics"])], rows, left=1)
    return said + (f"\n\nand {more} more: see the JSON report" if more > 0 else "")


def _left_out(report: Data) -> str:
    """Flags, unscored samples and bounds, in sentences."""
    n = count(report["n_samples"])
    flags = "; ".join(f"{name} {share} % ({k})" for name, k, share in view.rates(report, "flags")) or "none"
    lines = [f"Flags, of {n} samples: {plain(flags)}."]
    reasons = "; ".join(f"{name} {share} % ({k})" for name, k, share in view.rates(report, "unscored"))
    if reasons:
        lines.append(f"Unscored: {plain(reasons)}.")
    ends = view.bounds(report)
    if ends:
        lines.append(f"With everything unscored wrong: {ends[0]} %; right: {ends[1]} %.")
    lines.append(f"Coverage {percent(report['coverage'])} %. Clusters: {plain(report['clusters'])}.")
    return " ".join(lines)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """A GitHub-style table, the first `left` columns text, the rest numbers. Cells are Markdown already."""
    rule = [":--" if i < left else "--:" for i in range(len(heads))]
    return "\n".join(f"| {' | '.join(map(_brackets, row))} |" for row in [heads, rule, *rows])


def image(alt: str, svg: str) -> str:
    """An SVG as an image that needs no other file."""
    return f"![{plain(alt)}](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def plain(text: Any) -> str:
    """Text that stays what it is: no markup, no row or cell broken."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def _brackets(cell: str) -> str:
    return cell
