"""A run's learning curve as a page, as Markdown for Dagster's UI and as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from eval_assets.reporting.curve_marks import Marks, band_marks, level_marks
from eval_assets.reporting.curve_plots import band_plot, drawn, two_runs_plot
from eval_assets.reporting.curve_words import names, pair_sentence, rows, said_steps, sentences
from eval_assets.reporting.markdown import image, plain, table
from eval_assets.reporting.pages import environment, figure
from eval_assets.reporting.svg import short
from eval_assets.reporting.words import LEVEL, count, difference, p_value

if TYPE_CHECKING:
    from jinja2 import Environment
    from rich.table import Table

Data = Mapping[str, Any]
# An event's metadata lives in Dagster's database, and a plot is about 8 kB: so many tasks, the rest on the page.
_MOST_TASKS = 8


def curve_page(data: Data, templates: Environment | None = None) -> str:
    """The whole curve as a self-contained HTML page.

    templates: with another `base.html.j2`, of a service, which has no files beside the page.
    """
    sections = [_section(curve) for curve in data["tasks"].values()]
    template = (templates or environment()).get_template("curve.html.j2")
    return template.render(data=data, sections=sections, level=LEVEL, published=templates is None)


def run_comparison_page(data: Data) -> str:
    """Two runs as a self-contained HTML page."""
    sections = [_pair_section(task, data["run_a"], data["run_b"]) for task in data["tasks"].values()]
    return environment().get_template("run_pair.html.j2").render(data=data, sections=sections)


def curve_markdown(data: Data) -> str:
    """Each task: sentences, both plots and the table."""
    parts = [f"Learning curve of **{plain(data['run'])}**"]
    curves = list(data["tasks"].values())
    for curve in curves[:_MOST_TASKS]:
        said = [*sentences(curve), *curve["notes"]]
        parts += [f"**{plain(curve['task'])}**", "\n".join(f"- {plain(sentence)}" for sentence in said)]
        parts += [image(caption, drawn(marks)) + "\n\n" + plain(caption) for marks, caption in _figures(curve)]
        parts.append(_markdown_table(curve))
    parts += [f"{plain(task)} is left out: {plain(why)}" for task, why in data["absent"].items()]
    if len(curves) > _MOST_TASKS:
        parts.append(f"{len(curves) - _MOST_TASKS} more tasks are on the page.")
    return "\n\n".join(parts) + "\n"


def curve_terminal(curve: Data) -> Table:
    """One row a checkpoint of a task, in 80 columns; a star says that the difference survives correction."""
    reference = short(_reference(curve), 20)
    heads = [">step", ">score, %", f">vs {reference},\nband, points", ">vs\nprevious", ">p", "best?"]
    shown = _table(heads, f"{curve['task']}: {curve['metric']}")
    for r in rows(curve):
        value = r["difference"].partition(" ")[0]
        against = f"{_marked(value, r['survives'])} {r['band']}" if value else ""
        change = r["change"].partition(" ")[0]
        change = _marked(change, r["change_survives"]) if change else ""
        shown.add_row(r["step"], r["score"], against, change, r["change_p"], r["could"])
    return shown


def pair_terminal(task: Data, run_a: str, run_b: str) -> Table:
    """One row a common step of two runs."""
    shown = _table([">step", f">{run_a} − {run_b},\npoints", ">p", ">corrected", ">items"], task["task"])
    for r in _pair_rows(task):
        said = _marked(r["difference"], r["survives"])
        shown.add_row(r["step"], said, r["p"], r["p_adjusted"], r["n"])
    return shown


def _section(curve: Data) -> dict[str, Any]:
    steps = curve["not_evaluated"]
    return {
        "curve": curve,
        "sentences": sentences(curve),
        "figures": [figure(drawn(marks), caption, _plot(marks, curve["task"])) for marks, caption in _figures(curve)],
        "rows": rows(curve),
        "reference": _reference(curve) if curve["band"] else "",
        "methods": _methods(curve),
        "not_evaluated": said_steps(steps, steps) if steps else "",
    }


def _methods(curve: Data) -> list[str]:
    """Sentences on how the numbers were made, and what must be known of them."""
    band, best = curve["band"], curve["best"]
    said = [(band["method"], band["note"])] if band else []
    if best and not best["problem"]:
        said.append((f"{best['method']}, on the {count(best['n'])} items that all have a score for", best["note"]))
    found = [f"{_capital(method)}.{f' Note: {note}.' if note else ''}" for method, note in said]
    noted: dict[str, list[int]] = {}
    for point, row in zip(curve["points"], rows(curve), strict=True):
        if row["note"]:
            noted.setdefault(row["note"], []).append(point["step"])
    order = [point["step"] for point in curve["points"]]
    return found + [f"{_capital(said_steps(steps, order))}: {note}." for note, steps in noted.items()]


def _capital(said: str) -> str:
    return said[:1].upper() + said[1:]


def _reference(curve: Data) -> str:
    reference = curve["reference"]
    return names(curve)[reference["checkpoint"]] if reference else "reference"


def _plot(marks: Marks, task: str) -> Data | None:
    """The plot's numbers with the task that they are of."""
    found = marks.data()
    return found and {**found, "task": task}


def _figures(curve: Data) -> list[tuple[Marks, str]]:
    """Each plot with what must be said of it."""
    said = f"{curve['metric']} by step with {LEVEL} intervals."
    if (curve["best"] or {}).get("candidates"):
        said += " Filled: could be the best; hollow: another one is better."
    if curve["reference"] and curve["reference"]["role"] == "baseline":
        said += " Dashed: the baseline."
    found = [(level_marks(curve), said)]
    compared = [p for p in curve["points"] if p["vs_reference"]]
    against = [{**p["vs_reference"], "step": p["step"], "checkpoint": p["checkpoint"]} for p in compared]
    if against:
        steps = [p["step"] for p in curve["points"]]
        said = f"Paired difference to {_reference(curve)}: bars are single {LEVEL} intervals, the shade is the band "
        said += "that holds for all steps at once. Filled: survives correction."
        found.append((band_marks(against, steps, higher_is_better=curve["higher_is_better"]), said))
    return found


def _markdown_table(curve: Data) -> str:
    heads = [">step", ">score, %", f">vs {plain(_reference(curve))}, points", ">band", ">p corrected"]
    heads += [">vs previous, points", ">p corrected", "could be the best"]
    lines = []
    for r in rows(curve):
        against, change = (_bold(r["difference"], r["survives"]), _bold(r["change"], r["change_survives"]))
        lines.append([r["step"], r["score"], against, r["band"], r["p_adjusted"], change, r["change_p"], r["could"]])
    return table(heads, lines)


def _bold(said: str, survives: str) -> str:
    return f"**{said}**" if survives else said


def _pair_section(task: Data, run_a: str, run_b: str) -> dict[str, Any]:
    steps = [point["step"] for side in task["runs"].values() for point in side]  # both plots span the same
    better = task["higher_is_better"]
    levels = f"{task['metric']} by step with {LEVEL} intervals; dots: {run_a}, squares: {run_b}."
    paired = f"{run_a} minus {run_b} at each common step, paired item by item. "
    paired += f"Bars are single {LEVEL} intervals; filled: survives correction."
    alone = ((run, only) for run, only in ((run_a, task["only_a"]), (run_b, task["only_b"])) if only)
    return {
        "task": task,
        "sentence": pair_sentence(task, run_a, run_b),
        "unpaired": [f"Only {run} has {said_steps(only, only)}: not paired." for run, only in alone],
        "figures": [
            figure(two_runs_plot(task), levels),
            figure(band_plot(task["steps"], steps, higher_is_better=better), paired),
        ],
        "rows": _pair_rows(task),
    }


def _pair_rows(task: Data) -> list[dict[str, str]]:
    return [
        {
            "step": count(entry["step"]),
            "difference": difference(entry),
            "p": p_value(entry["p_value"]),
            "p_adjusted": p_value(entry["p_adjusted"]),
            "survives": "yes" if entry["survives"] else "",
            "n": count(entry["n"]),
            "n_clusters": count(entry["n_clusters"]),
        }
        for entry in task["steps"]
    ]


def _marked(said: str, survives: str) -> str:
    """A star where colour and bold are not to be relied on."""
    return f"{said} *" if survives else said


def _table(heads: Iterable[str], title: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for head in heads:
        numbers = head.startswith(">")
        made.add_column(Text(head.removeprefix(">")), justify="right" if numbers else "left", no_wrap=numbers)
    return made
