"""What a page shows, as strings: every number said once, here, for the templates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eval_assets.reporting.words import (
    Verdict,
    checkpoint_name,
    count,
    decimal,
    difference,
    interval,
    number,
    p_words,
    percent,
    rate,
    remarks,
    score,
    verdict,
    with_interval,
)

ROLES = ("baseline", "previous", "first")
Data = Mapping[str, Any]


def columns(data: Data) -> list[dict[str, Any]]:
    """The comparisons to show, one a column; roles that name the same checkpoint share one.

    Each: `roles` in words, `other` (the checkpoint compared with), `by_task` (task -> entry).
    """
    found: list[dict[str, Any]] = []
    for role in ROLES:
        entries = data["comparisons"].get(role) or []
        if not entries:
            continue
        by_task = {e["task"]: e for e in entries}
        pairs = {task: e["b"] for task, e in by_task.items()}
        same = next((c for c in found if c["pairs"] == pairs), None)
        if same:
            same["roles"] += f", {role}"
        else:
            other = data.get(role) or entries[0]["b"]
            name = checkpoint_name(other, data["run"])
            found.append({"roles": role, "other": other, "name": name, "pairs": pairs, "by_task": by_task})
    return found


def not_compared(data: Data) -> list[str]:
    """Roles that are taken by another checkpoint with which nothing could be compared."""
    named = [(role, data.get(role)) for role in ROLES if not data["comparisons"].get(role)]
    return [f"{role} {key}" for role, key in named if key and key != data["checkpoint"]]


def primary(report: Data) -> dict[str, Any]:
    return dict(report["metrics"][report["primary"]])


def headline(data: Data) -> list[dict[str, Any]]:
    """One row a task: the primary metric, and its comparison in each column (None: not compared)."""
    shown = columns(data)
    return [
        {
            "task": task,
            "metric": report["primary"],
            **score_cells(primary(report)),
            "comparisons": [
                {**comparison_cells(c["by_task"][task], data["run"]), "roles": c["roles"], "name": c["name"]}
                if task in c["by_task"]
                else {"said": None, "roles": c["roles"], "name": c["name"]}
                for c in shown
            ],
        }
        for task, report in data["tasks"].items()
    ]


def score_cells(metric: Data) -> dict[str, str]:
    return {
        "value": score(metric),
        "chance": percent(metric["chance"]) if metric.get("chance") is not None else "",
        "interval": interval(metric),
        "both": with_interval(metric),
        "se": score(metric, "se", 2),
        "n": count(metric.get("n")),
        "n_clusters": count(metric.get("n_clusters")),
        "coverage": percent(metric.get("coverage")),
        "design_effect": decimal(metric.get("design_effect")),
        "icc": decimal(metric.get("icc"), 3),
        "effective_n": count(metric.get("effective_n")),
        "direction": remarks(metric),
        "bounds": metric_bounds(metric),
        "method": metric.get("method") or "",
        "note": metric.get("note") or "",
    }


def comparison_cells(entry: Data, run: str | None) -> dict[str, Any]:
    said: Verdict = verdict(entry, run)
    adjusted = "p_adjusted" in entry and not math.isnan(number(entry["p_adjusted"]))
    return {
        "task": entry["task"],
        "metric": entry["metric"],
        "said": said,
        "b": entry["b"],
        "difference": difference(entry),
        "p": p_words(entry.get("p_value")),
        "p_adjusted": p_words(entry["p_adjusted"], "adjusted") if adjusted else "",
        "se": score(entry, "se", 2),
        "t": decimal(entry.get("t")),
        "df": decimal(entry.get("df"), 1),
        "n": count(entry.get("n")),
        "n_clusters": count(entry.get("n_clusters")),
        "correlation": decimal(entry.get("correlation")),
        "variance_reduction": percent(entry.get("variance_reduction"), 0),
        "p_mcnemar": p_words(entry.get("p_mcnemar")) if not math.isnan(number(entry.get("p_mcnemar"))) else "",
        "only": (count(entry.get("only_a")), count(entry.get("only_b"))),
        "method": entry.get("method") or "",
        "note": entry.get("note") or "",
    }


def summaries(data: Data) -> list[str]:
    """For each column one sentence: where the checkpoint is better, worse, or neither is shown."""
    said = []
    for column in columns(data):
        tones: dict[str, list[str]] = {"better": [], "worse": [], "open": [], "unknown": []}
        for task, entry in column["by_task"].items():
            tones[verdict(entry, data["run"]).tone].append(task)
        words = {
            "better": "better on",
            "worse": "worse on",
            "open": "no difference shown on",
            "unknown": "not tested on",
        }
        parts = [f"{words[tone]} {', '.join(tasks)}" for tone, tasks in tones.items() if tasks]
        said.append(f"Against {column['name']} ({column['roles']}): {'; '.join(parts)}.")
    return said


def breakdowns(report: Data) -> list[dict[str, Any]]:
    """Each field with its categories: a score a metric, and the metric that a plot shows.

    ordered: the task says that the categories have an order; all are numbers then, else it is not believed.
    """
    found = []
    for field, parts in report["by"].items():
        if not parts:
            continue
        metrics = list(next(iter(parts.values())))
        lead = report["primary"] if report["primary"] in metrics else metrics[0]
        rows = [
            {"label": value, "n": count(of[lead]["n"]), "scores": [with_interval(of[m]) for m in metrics]}
            for value, of in parts.items()
        ]
        plotted = [{"label": value, **of[lead]} for value, of in parts.items()]
        overall = {"label": "all", **report["metrics"][lead], "strong": True}
        ordered = field in report.get("ordered", ()) and all(math.isfinite(_as_number(value)) for value in parts)
        heads = [m if report["metrics"][m].get("own_unit") else f"{m}, %" for m in metrics]
        found.append({"field": field, "metrics": heads, "lead": lead, "rows": rows, "plotted": [overall, *plotted],
                      "ordered": ordered})  # fmt: skip
    return found


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def metric_rows(report: Data) -> list[dict[str, Any]]:
    """Rows for a forest plot of a task's metrics, in percent: those in a unit of their own stand in the table only."""
    metrics = report["metrics"].items()
    return [{"label": name, **m, "strong": name == report["primary"]} for name, m in metrics if not m.get("own_unit")]


def rates(report: Data, kind: str) -> list[tuple[str, str, str]]:
    """Flags or reasons for unscored samples, most frequent first: name, count, percent of all samples."""
    whole = report["n_samples"]
    ordered = sorted((report.get(kind) or {}).items(), key=lambda pair: (-pair[1], pair[0]))
    return [(name.replace("_", " "), count(n), rate(n, whole)) for name, n in ordered]


def bounds(report: Data) -> tuple[str, str] | None:
    """The score with all unscored samples wrong, and right; None where nothing is unscored."""
    if number(report["coverage"]) == 1:
        return None
    return percent(report["bounds"]["all_wrong"]), percent(report["bounds"]["all_right"])


def baseline_level(data: Data, task: str) -> tuple[str, float] | None:
    """The baseline's score on exactly this cell's items, for the learning curve; None otherwise.

    It follows from the paired difference only where every scored item of this cell was paired.
    """
    entry = next((e for e in data["comparisons"].get("baseline") or [] if e["task"] == task), None)
    own = primary(data["tasks"][task])
    if entry is None or entry["n"] != own["n"] or math.isnan(number(entry["mean_diff"])):
        return None
    return entry["b"], number(own["value"]) - number(entry["mean_diff"])


def steps(history: Sequence[Data]) -> list[dict[str, Any]]:
    """The run's scores on one task, as table rows."""
    return [
        {
            "name": count(point["step"]) if point.get("step") is not None else point["checkpoint"],
            **score_cells(point),
            "vs_first": difference(point["vs_first"]) if point.get("vs_first") else "",
            "vs_previous": difference(point["vs_previous"]) if point.get("vs_previous") else "",
        }
        for point in history
    ]


def against_first(history: Sequence[Data]) -> list[dict[str, Any]]:
    """Points for a difference plot: each later step's paired difference to the first."""
    return [{"step": point["step"], **point["vs_first"]} for point in history if point.get("vs_first")]


def metric_bounds(metric: Data) -> str:
    """`[57.1, 59.1]`: the metric with all unscored samples at 0 and at 1; empty where all are scored."""
    if number(metric.get("coverage")) == 1 or "lowest" not in metric:
        return ""
    return interval({"ci_low": metric["lowest"], "ci_high": metric["highest"]})
