"""A checkpoint over all of its tasks: what can be quoted, the macro average, the gate, as strings for the templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from eval_assets.reporting.view import ROLES, primary
from eval_assets.reporting.words import could_detect, quote, with_interval

Data = Mapping[str, Any]


def quotes(data: Data, task: str) -> list[dict[str, str]]:
    """Each comparison of a task in a sentence: the role, what can be quoted, what so many items could detect."""
    found = []
    for role in ROLES:
        for entry in data["comparisons"].get(role) or []:
            if entry["task"] == task and not any(entry["b"] == f["b"] for f in found):
                found.append({"role": role, "b": entry["b"], "said": quote(entry), "detects": could_detect(entry)})
    refused = (data.get("absent") or {}).get(task, {}).items()
    return [*found, *({"role": role, "b": "", "said": f"not compared: {why}", "detects": ""} for role, why in refused)]


def macro(data: Data) -> dict[str, str] | None:
    """The average over tasks in words; None where there is none."""
    found = data.get("macro") or {}
    score = found.get("score")
    if not score:
        return None
    role = next((r for r in ROLES if found.get(r)), "")
    out = ", ".join(score["left_out"])
    left_out = f"Not in it: {out} (less is better, or no mean of items)." if out else ""
    clusters = f" in {score['n_clusters']} clusters" if score["n_clusters"] != score["n"] else ""
    return {
        "score": with_interval(score),
        "over": f"{len(score['over'])} tasks, {score['n']} items{clusters}",
        "quote": f"; against the {role} {quote(found[role])}" if role else "",
        "left_out": left_out,
        "note": score.get("note") or "",
    }


def forest_rows(data: Data, column: Data | None) -> list[dict[str, Any]]:
    """One row a task for the plot of all tasks, and the macro average below."""
    by_task = column["by_task"] if column else {}
    rows = [
        {"label": task, "score": primary(report), "difference": by_task.get(task)}
        for task, report in data["tasks"].items()
    ]
    found = data.get("macro") or {}
    if found.get("score"):
        average = next((found[r] for r in ROLES if found.get(r) and column and r in column["roles"].split(", ")), None)
        rows.append({"label": "macro average", "score": found["score"], "difference": average, "strong": True})
    return rows


def gate(data: Data) -> dict[str, Any] | None:
    """What the gate says: `said` in a line, `stopped` each with its reason, `rows` of what blocks or did not pass."""
    decided = [{"task": task, **row} for task, rows in (data.get("gates") or {}).items() for row in rows]
    blocking = Counter(row["state"] for row in decided if row["blocking"])
    if not blocking:
        return None
    stopped = [f"{row['task']}, {row['check'].replace('_', ' ')}: {row['why']}" for row in decided if row["stops"]]
    words = {"pass": "passed", "fail": "failed", "inconclusive": "inconclusive"}
    shown = [row for row in decided if row["blocking"] or row["state"] != "pass"]
    return {
        "said": ", ".join(f"{blocking[state]} {word}" for state, word in words.items() if blocking[state]),
        "stopped": stopped,
        "rows": [
            {
                "task": row["task"],
                "check": row["check"].replace("_", " "),
                "effect": "blocking" if row["blocking"] else "warns",
                "state": words[row["state"]],
                "tone": "worse" if row["stops"] else "better" if row["state"] == "pass" else "open",
                "why": row["why"],
            }
            for row in shown
        ],
    }
