"""Reports as GitHub-style Markdown, as Dagster's UI shows it.

Its viewer drops raw HTML and shows SVG from a data URI, so plots are images; it has a light and a dark
theme, so they carry their own background. Text of 1000 characters or more waits behind a link there.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eval_assets.reporting import judging, overall, view
from eval_assets.reporting.board import grid
from eval_assets.reporting.forest import suite_forest
from eval_assets.reporting.plots import breakdown_plot, interval_plot, learning_curve
from eval_assets.reporting.words import (
    LEVEL,
    MISSING,
    checkpoint_name,
    count,
    decimal,
    difference,
    engine,
    interval,
    p_value,
    percent,
    remarks,
    score,
    tokens,
    verdict,
)

Data = Mapping[str, Any]
# An event's metadata lives in Dagster's database (a plot is about 8 kB): no more than one reads there.
_MOST_ROWS = 50
_MOST_PLOTS = 12
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!$&])")


def cell_markdown(report: Data, comparisons: Sequence[Data] = ()) -> str:
    """One cell: metrics with intervals, comparisons, breakdowns, flags, and a plot."""
    parts = [f"**{plain(report['checkpoint'])}** on **{plain(report['task'])}**", _metrics(report)]
    if comparisons:
        parts.append(_comparisons(comparisons, report["run"]))
    for part in view.breakdowns(report):
        if len(part["rows"]) <= _MOST_ROWS:
            parts.append(f"By {plain(part['field'])}, {plain(part['lead'])}:")
            parts.append(image(f"{part['lead']} by {part['field']}", breakdown_plot(part)))
        parts.append(_breakdown(part))
    if not report["by"] and len(report["metrics"]) > 1:
        parts.append(image("all metrics", interval_plot(view.metric_rows(report))))
    parts += _judging(report.get("judging"))
    parts.append(_left_out(report))
    return "\n\n".join(part for part in parts if part) + "\n"


def checkpoint_markdown(data: Data) -> str:
    """One checkpoint: a table of tasks, who it is compared with, learning curves."""
    heads = ["task", "metric", ">score, %", f">{LEVEL} interval", ">n", ">clusters", ">coverage, %"]
    tasks = [(task, report["primary"], view.primary(report)) for task, report in data["tasks"].items()]
    rows = [[plain(task), _metric(name, m), *_score(m)] for task, name, m in tasks]
    parts = [f"**{plain(data['checkpoint'])}**", table(heads, rows)]
    parts.append("\n".join(f"- {plain(said)}" for said in [*view.summaries(data), *_overall(data)]))
    if len(data["tasks"]) > 1:
        column = next(iter(view.columns(data)), None)
        rows_of_all = overall.forest_rows(data, column)
        parts.append(image("all tasks", suite_forest(rows_of_all, column["name"] if column else "")))
    entries = [e for c in view.columns(data) for e in c["by_task"].values()]
    if entries:
        parts.append(_comparisons(entries, data["run"]))
    if data["missing"]:
        parts.append(f"Without a report yet: {plain(', '.join(data['missing']))}")
    curves = {task: history for task, history in data["history"].items() if len(history) > 1}
    for task, history in list(curves.items())[:_MOST_PLOTS]:
        parts.append(f"{plain(task)} by step:")
        parts.append(image(f"{task} by step", learning_curve(history, view.baseline_level(data, task))))
    if len(curves) > _MOST_PLOTS:
        parts.append(f"{len(curves) - _MOST_PLOTS} more curves are on the page.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _overall(data: Data) -> list[str]:
    """The macro average and the gate, a line each."""
    average, gate = overall.macro(data), overall.gate(data)
    said = [f"Macro average {average['score']} % over {average['over']}{average['quote']}."] if average else []
    said += [f"Gate, blocking checks: {gate['said']}."] if gate else []
    return said + ([f"Stopped by the gate: {why}." for why in gate["stopped"]] if gate else [])


def leaderboard_markdown(data: Data) -> str:
    """Checkpoints by tasks; the best score of a column in bold."""
    found = grid(data)
    if not found["rows"]:
        return "No report yet.\n"
    heads = ["checkpoint"] + [
        f">{plain(c['task'])} {plain(c['metric'])}, %" + (f" ({c['direction']})" if c["direction"] else "")
        for c in found["columns"]
    ]
    rows = [[plain(r["checkpoint"]), *(_board_cell(c) for c in r["cells"])] for r in found["rows"][:_MOST_ROWS]]
    more = len(found["rows"]) - len(rows)
    return table(heads, rows) + (f"\n\nand {more} more: see the page" if more > 0 else "") + "\n"


def _board_cell(cell: Data | None) -> str:
    if cell is None:
        return "–"
    said = f"**{cell['value']}**{cell['both'].removeprefix(cell['value'])}" if cell["best"] else cell["both"]
    return said + (f", coverage {cell['coverage']} %" if cell["coverage"] else "")


def _metrics(report: Data) -> str:
    heads = ["metric", ">score, %", f">{LEVEL} interval", ">n", ">clusters", ">coverage, %", ">design effect"]
    rows = [[_metric(name, m), *_score(m), decimal(m.get("design_effect"))] for name, m in report["metrics"].items()]
    return table(heads, rows)


def _metric(name: str, entry: Data) -> str:
    lower = remarks(entry)
    return f"{plain(name)} ({lower})" if lower else plain(name)


def _score(metric: Data) -> list[str]:
    counts = (count(metric["n"]), count(metric["n_clusters"]))
    return [score(metric), interval(metric), *counts, percent(metric["coverage"])]


def _comparisons(entries: Iterable[Data], run: str | None) -> str:
    heads = ["task", "metric", "against", ">difference, points", ">p", ">adjusted p", "verdict"]
    rows = []
    for e in entries:
        names = (plain(e["task"]), _metric(e["metric"], e), plain(checkpoint_name(e["b"], run)))
        p = (p_value(e.get("p_value")), p_value(e.get("p_adjusted")))
        rows.append([*names, difference(e), *p, plain(verdict(e, run).words)])
    return table(heads, rows)


def _breakdown(part: Data) -> str:
    rows = [[plain(r["label"]), r["n"], *r["scores"]] for r in part["rows"][:_MOST_ROWS]]
    more = len(part["rows"]) - len(rows)
    said = table([plain(part["field"]), ">n", *(f">{plain(m)}" for m in part["metrics"])], rows)
    return said + (f"\n\nand {more} more: see the JSON report" if more > 0 else "")


def _judging(block: Data | None) -> list[str]:
    """What the judge is worth: sentences, figures, and the table of its verdicts against people's."""
    if not block:
        return []
    rows = [[plain(f.name), plain(f.value), plain(f.interval), plain(f.meaning)] for f in judging.figures(block)]
    parts = [plain(" ".join(judging.judging_lines(block)))]
    parts += [table(["judge", ">value", f">{LEVEL} interval", "what it is"], rows)] if rows else []
    if found := judging.confusion(block):
        heads, counts = found
        parts.append(table([heads[0], *(f">{head}" for head in heads[1:])], counts))
    return parts


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
    used = tokens(report.get("usage") or {})
    lines += [f"Used: {used}."] if used != MISSING else []
    seen = engine(report.get("engine") or {})
    lines += [f"Engine: {seen}."] if seen != MISSING else []
    return " ".join(lines)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A GitHub-style table; a heading that starts with `>` is over numbers. Cells are Markdown already."""
    rule = ["--:" if head.startswith(">") else ":--" for head in heads]
    return "\n".join(f"| {' | '.join(row)} |" for row in [[h.removeprefix(">") for h in heads], rule, *rows])


def image(alt: str, svg: str) -> str:
    """An SVG as an image that needs no other file."""
    return f"![{plain(alt)}](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def plain(text: Any) -> str:
    """Text that stays what it is: no markup, no row or cell broken."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))
