"""A sweep over context policies and budgets as a page and as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eval_assets.reporting import memory_plots
from eval_assets.reporting.context_plots import budget_curves, latency_histogram
from eval_assets.reporting.markdown import image, plain
from eval_assets.reporting.pages import environment, figure
from eval_assets.reporting.words import LEVEL, count, difference, reasons, with_interval

if TYPE_CHECKING:
    from rich.table import Table

Data = Mapping[str, Any]


def context_page(data: Data) -> str:
    """A self-contained HTML page: a plot and a table for each metric, latencies and memory at last."""
    known = [m for m in data["metrics"] if any(p["value"] is not None for c in m["curves"] for p in c["points"])]
    metrics = [
        {"name": m["name"], "rows": _rows(m), "figure": figure(budget_curves(m["curves"], m), _caption(m))}
        for m in known
    ]
    latencies = [
        figure(latency_histogram(seconds, policy), f"{policy}, {_frames(data['largest'][policy])}")
        for policy, seconds in data["latencies"].items()
    ]
    memory = [figure(plot, said) for plot, said in _memory(data)]
    unknown = [m["name"] for m in data["metrics"] if m not in known]
    template = environment().get_template("context_sweep.html.j2")
    return template.render(
        data=data, metrics=metrics, latencies=latencies, memory=memory, unknown=unknown, level=LEVEL,
        reasons=reasons(entry for m in known for c in m["curves"] for entry in _entries(c)),
    )  # fmt: skip


def context_markdown(data: Data) -> str:
    """What the areas say, the primary metric's curves and what requests hold, for Dagster's UI."""
    metric = data["metrics"][0]
    parts = [
        *(plain(said) for said in sentences(data)),
        image(_caption(metric), budget_curves(metric["curves"], metric)),
    ]
    parts += [image(said, plot) + "\n\n" + plain(said) for plot, said in _memory(data)]
    return "\n\n".join(parts) + "\n"


def context_terminal(data: Data) -> Table:
    """The primary metric: a row each policy and budget, its area behind it."""
    from rich.table import Table

    metric = data["metrics"][0]
    unit = "" if metric.get("own_unit") else ", %"
    shown = Table(title=f"{data['checkpoint']} on {data['task']}")
    for head in ("policy", "frames", f"{metric['name']}{unit}", "items"):
        shown.add_column(head, justify="left" if head == "policy" else "right")
    for row in _rows(metric):
        shown.add_row(row["policy"], row["frames"], row["value"], row["n"])
    return shown


def sentences(data: Data) -> list[str]:
    """What the areas under the primary metric's curves say."""
    metric = data["metrics"][0]
    found = [c for c in metric["curves"] if c["area"]]
    said = [f"{c['policy']}: mean {metric['name']} over the budgets {with_interval(c['area'])}" for c in found]
    for n, curve in enumerate(found):
        if curve["difference"]:
            said[n] += f"; {difference(curve['difference'])} vs {found[0]['policy']}, paired"
    return said


def _entries(curve: Data) -> list[Data]:
    """All that has an interval."""
    return [*curve["points"], *(curve[name] for name in ("area", "difference") if curve[name])]


def _memory(data: Data) -> list[tuple[str, str]]:
    """A plot and its caption of each policy and figure that is known, all of a figure on one scale."""
    curves = {policy: curve for policy, curve in data["memory"].items() if curve}
    return [
        (plot, f"{policy}, {_frames(data['largest'][policy])}. {said}")
        for policy, curve in curves.items()
        for plot, said in memory_plots.figures(curve, list(curves.values()))
    ]


def _rows(metric: Data) -> list[dict[str, str]]:
    rows = []
    for curve in metric["curves"]:
        for number, p in enumerate(curve["points"]):
            rows.append(
                {
                    "policy": curve["policy"] if number == 0 else "",
                    "frames": _frames(p["budget"]).removesuffix(" frames"),
                    "value": with_interval(p),
                    "n": count(p["n"]),
                    "difference": "",
                }
            )
        if curve["area"]:
            against = difference(curve["difference"]) if curve["difference"] else ""
            rows.append(
                {"policy": "", "frames": "area", "value": with_interval(curve["area"]), "n": count(curve["area"]["n"]),
                 "difference": against}
            )  # fmt: skip
    return rows


def _caption(metric: Data) -> str:
    dashed = any(p["budget"] is None for c in metric["curves"] for p in c["points"])
    return f"{metric['name']} by budget{'; dashed: all frames' if dashed else ''}"


def _frames(budget: int | None) -> str:
    return "all frames" if budget is None else f"{count(budget)} frames"
