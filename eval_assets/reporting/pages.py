"""HTML pages that are one file: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval_assets.reporting import episodes, judging, memory_plots, overall, stability, view
from eval_assets.reporting.board import grid
from eval_assets.reporting.forest import suite_forest
from eval_assets.reporting.plots import breakdown_plot, difference_plot, interval_plot, interval_strip, learning_curve
from eval_assets.reporting.words import LEVEL, checkpoint_name, count, decimal, engine, percent, tokens

if TYPE_CHECKING:
    from jinja2 import Environment

Data = Mapping[str, Any]
_SEPARATOR = re.compile(r"([_./\\-])")
_MOST_PLOTTED = 60  # categories; beyond, the table is easier to read than a plot


def checkpoint_page(data: Data, templates: Environment | None = None) -> str:
    """Everything about one checkpoint as a self-contained HTML page. templates: with another `base.html.j2`."""
    return (
        (templates or environment())
        .get_template("checkpoint.html.j2")
        .render(
            data=data,
            name=checkpoint_name(data["checkpoint"], data["run"]),
            columns=view.columns(data),
            headline=view.headline(data),
            summaries=view.summaries(data),
            not_compared=view.not_compared(data),
            sections=[_section(data, task) for task in data["tasks"]],
            comparisons=_comparisons(data),
            macro=overall.macro(data),
            forest=_forest(data),
            gate=overall.gate(data),
            level=LEVEL,
        )
    )


def leaderboard_page(data: Data) -> str:
    """Checkpoints by tasks as a self-contained HTML page."""
    found = grid(data)
    for row in found["rows"]:
        for cell, column in zip(row["cells"], found["columns"], strict=True):
            if cell:
                cell["strip"] = _svg(interval_strip(cell["entry"], column["low"], column["high"]))
    return environment().get_template("leaderboard.html.j2").render(**found, at=data["at"], level=LEVEL)


def _section(data: Data, task: str) -> dict[str, Any]:
    """One task's part of the page."""
    report = data["tasks"][task]
    history = data["history"].get(task) or []
    usage = report.get("usage") or {}
    return {
        "task": task,
        "report": report,
        "metrics": [(name, view.score_cells(m), m["aggregation"]) for name, m in report["metrics"].items()],
        "methods": _methods(report),
        "figures": _figures(data, report, history),
        "quotes": overall.quotes(data, task),
        "steps": view.steps(history) if len(history) > 1 else [],
        "breakdowns": view.breakdowns(report),
        "stability": _stability(report.get("stability")),
        "judging": _judging(report.get("judging")),
        "films": data.get("films", {}).get(task, []),
        "flags": view.rates(report, "flags"),
        "unscored": view.rates(report, "unscored"),
        "bounds": view.bounds(report),
        "coverage": percent(report["coverage"]),
        "n_items": count(report["n_items"]),
        "n_samples": count(report["n_samples"]),
        "n_scored": count(report["n_scored"]),
        "tokens": tokens(usage),
        "engine": engine(report.get("engine") or {}),
        "seconds": (decimal(usage.get("median_seconds")), decimal(usage.get("p95_seconds"))),
    }


def _figures(data: Data, report: Data, history: list[Data]) -> list[dict[str, Any]]:
    """Plots with what must be said of them."""
    task, found = report["task"], []
    if len(history) > 1:
        better = view.primary(report)["higher_is_better"]
        curve = [{**point, "higher_is_better": better} for point in history]
        level = view.baseline_level(data, task)
        dashed = "; dashed: the baseline on the same items" if level else ""
        found.append(figure(learning_curve(curve, level), f"{report['primary']} by step, {LEVEL} intervals{dashed}."))
        against = [{**point, "higher_is_better": better} for point in view.against_first(history)]
        if against:
            said = "Paired difference to the run's first checkpoint; filled: the interval excludes zero. "
            said += "Each interval stands for itself: they are not a simultaneous band."
            found.append(figure(difference_plot(against, history[0]["step"]), said))
    if len(report["metrics"]) > 1:
        found.append(figure(interval_plot(view.metric_rows(report)), f"All metrics, {LEVEL} intervals."))
    for part in view.breakdowns(report):
        if len(part["rows"]) <= _MOST_PLOTTED:
            found.append(figure(breakdown_plot(part), f"{part['lead']} by {part['field']}; dashed: all items."))
    if block := report.get("episodes"):
        found += [figure(plot, said) for plot, said in episodes.figures(block)]
    if memory := report.get("memory"):
        found += [figure(plot, said) for plot, said in memory_plots.figures(memory)]
    return found


def _forest(data: Data) -> dict[str, Any] | None:
    """All tasks in one plot, against the first of baseline, previous and first checkpoint; None for one task."""
    column = next(iter(view.columns(data)), None)
    rows = overall.forest_rows(data, column)
    if len(data["tasks"]) < 2:
        return None
    said = f"Primary metrics with {LEVEL} intervals."
    if column:
        said += f" Paired differences to {column['name']}; filled: p < 0.05, Holm-corrected over tasks."
    other = column["name"] if column else ""
    return {**figure(suite_forest(rows, other), said), "narrow": _svg(suite_forest(rows, other, narrow=True))}


def _judging(block: Data | None) -> dict[str, Any] | None:
    if not block:
        return None
    lines = judging.judging_lines(block)
    return {"lines": lines, "figures": judging.figures(block), "confusion": judging.confusion(block)}


def _stability(block: Data | None) -> dict[str, Any] | None:
    return {"heading": stability.heading(block), "figures": stability.figures(block)} if block else None


def figure(svg: str, caption: str, plot: Data | None = None) -> dict[str, Any]:
    """plot: the same numbers for a page whose script draws them; a page that is one file has none."""
    return {"svg": _svg(svg), "caption": caption, "plot": plot}


def _svg(text: str) -> Any:
    """Our own SVG, whose texts are escaped where it is made."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def _methods(report: Data) -> list[tuple[str, str, str]]:
    """Metrics that were estimated in the same way, together: names, method, note."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, m in report["metrics"].items():
        found.setdefault((m.get("method") or "", m.get("note") or ""), []).append(name)
    return [(", ".join(names), *words) for words, names in found.items()]


def _comparisons(data: Data) -> list[dict[str, Any]]:
    """The paired comparisons in full, one table a column."""
    return [
        {**c, "rows": [view.comparison_cells(e, data["run"]) for e in c["by_task"].values()]}
        for c in view.columns(data)
    ]


@lru_cache(maxsize=1)
def environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent / "templates"
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"breakable": _breakable, "when": _when}
    return made


def _breakable(name: Any) -> Any:
    """A name, escaped, that a narrow column may break after its separators."""
    from markupsafe import Markup, escape

    return Markup(_SEPARATOR.sub(r"\1<wbr>", str(escape(name))))  # noqa: S704


def _when(iso: str) -> str:
    """`2026-11-23 16:28 UTC`; what is no time stays as it is."""
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{at:%Y-%m-%d %H:%M} {at.tzname() or ''}".strip()
