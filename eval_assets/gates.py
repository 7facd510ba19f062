"""What a cell must fulfil: pure decisions over stored reports and comparisons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from eval_assets.settings import Gate

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"


@dataclass(frozen=True, slots=True)
class Decision:
    """state: pass, fail or inconclusive; why: in words; numbers: what it rests on."""

    state: str
    why: str
    numbers: dict[str, float]

    def passes(self, inconclusive: str = PASS) -> bool:
        return self.state == PASS or (self.state == INCONCLUSIVE and inconclusive == PASS)


def no_worse(entry: dict[str, Any] | None, margin: float) -> Decision:
    """Not worse than the other side by more than `margin`: by the interval of the paired difference.

    Pass: its lower bound is above -margin. Fail: its upper bound is below. Otherwise the data do not tell.
    """
    if entry is None:
        return Decision(INCONCLUSIVE, "there is nothing to compare with", {})
    low, high = _number(entry["ci_low"]), _number(entry["ci_high"])
    if math.isnan(low) or math.isnan(high):
        return Decision(INCONCLUSIVE, entry.get("note") or "the difference has no interval", {})
    if not entry.get("higher_is_better", True):
        low, high = -high, -low
    names = ("mean_diff", "ci_low", "ci_high")
    numbers = {name: entry[name] for name in names} | {"margin": margin}
    mean, least, most = (f"{100 * entry[name]:+.1f}" for name in names)
    shown = f"difference to {entry['b']} is {mean} points [{least}, {most}]"
    said = f"{100 * margin:.1f} points"
    if low > -margin:
        return Decision(PASS, f"{shown}: not worse by {said}", numbers)
    if high < -margin:
        return Decision(FAIL, f"{shown}: worse by more than {said}", numbers)
    return Decision(INCONCLUSIVE, f"{shown}: it cannot be told whether it is worse by {said}", numbers)


def no_worse_than_baseline(comparisons: dict[str, Any], gate: Gate) -> Decision:
    """The primary metric is not worse than the baseline's by more than the margin. Fails CI.

    comparisons: role -> entries, the primary metric's first.
    """
    entries = comparisons.get("baseline")
    return no_worse(entries[0] if entries else None, gate.margin)


def checkpoint_gate(report: dict[str, Any], gate: Gate) -> Decision:
    """No task of the checkpoint is worse than the baseline by more than the margin. Fails CI.

    Blocking holds within one run only; the checkpoint's report asks the store again, for all its cells.
    """
    entries = report["comparisons"].get("baseline", [])
    decisions = {entry["task"]: no_worse(entry, gate.margin) for entry in entries}
    states = {decision.state for decision in decisions.values()}
    state = next((s for s in (FAIL, INCONCLUSIVE) if s in states), PASS)
    told = [f"{task}: {d.why}" for task, d in decisions.items() if d.state == state != PASS]
    why = "; ".join(told) or f"{len(decisions)} tasks compared with the baseline"
    return Decision(state, why, {e["task"]: e["mean_diff"] for e in entries if e["mean_diff"] is not None})


def enough_coverage(report: dict[str, Any], gate: Gate) -> Decision:
    """Enough samples are scored for the score to speak for the task."""
    coverage = _number(report["coverage"])
    if math.isnan(coverage):
        return Decision(FAIL, "no samples at all", {})
    reasons = ", ".join(f"{count} x {why}" for why, count in report["unscored"].items()) or "none"
    state = PASS if coverage >= gate.min_coverage else FAIL
    return Decision(
        state, f"{100 * coverage:.1f} % scored, {100 * gate.min_coverage:.1f} % wanted; unscored: {reasons}",
        {"coverage": coverage, "wanted": gate.min_coverage},
    )  # fmt: skip


def few_truncated(report: dict[str, Any], gate: Gate) -> Decision:
    """Not too many answers end at the token limit: those say more of the limit than of the model."""
    return _share(report, report["flags"].get("truncated", 0), gate.max_truncated, "answers cut at the token limit")


def few_judge_failures(report: dict[str, Any], gate: Gate) -> Decision:
    """The judge could score what the model answered."""
    failures = sum(n for why, n in report["unscored"].items() if why.startswith(("judge", "unusable label")))
    return _share(report, failures, gate.max_judge_failures, "samples that the judge could not score")


def _share(report: dict[str, Any], count: int, most: float, what: str) -> Decision:
    total = report["n_samples"]
    if not total:
        return Decision(FAIL, "no samples at all", {})
    share = count / total
    state = PASS if share <= most else FAIL
    return Decision(state, f"{100 * share:.1f} % {what}, {100 * most:.1f} % allowed", {"share": share, "allowed": most})


def _number(value: float | None) -> float:
    """Null in stored JSON stands for NaN."""
    return math.nan if value is None else value
