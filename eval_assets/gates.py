"""What a cell must fulfil: pure decisions over stored reports and comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from eval_assets.settings import CheckName, Gate

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"


@dataclass(frozen=True, slots=True)
class Decision:
    """state: pass, fail or inconclusive; why: in words; numbers: what it rests on."""

    state: str
    why: str
    numbers: dict[str, float] = field(default_factory=dict)

    def passes(self, inconclusive: str) -> bool:
        return self.state == PASS or (self.state == INCONCLUSIVE and inconclusive == "pass")

    def fails(self, inconclusive: str) -> bool:
        return self.state == FAIL or (self.state == INCONCLUSIVE and inconclusive == "fail")


@dataclass(frozen=True, slots=True)
class Against:
    """A cell's primary metric compared. entries: role -> difference; absent: role -> why there is none."""

    entries: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


def no_worse(entry: dict[str, Any], margin: float) -> Decision:
    """Not worse than the other side by more than `margin`: by the interval of the paired difference.

    Pass: its lower bound is above -margin. Fail: its upper bound is below. Otherwise the data do not tell.
    """
    worse_by = f"by {100 * margin:.1f} points"
    return _by_interval(
        entry, margin, f"not worse {worse_by}", f"worse by more than {100 * margin:.1f} points", f"worse {worse_by}"
    )


def _by_interval(entry: dict[str, Any], margin: float, passed: str, failed: str, open_question: str) -> Decision:
    low, high = _number(entry["ci_low"]), _number(entry["ci_high"])
    names = ("mean_diff", "ci_low", "ci_high", "n", "n_clusters")
    numbers = {name: float(entry[name]) for name in names if not math.isnan(_number(entry.get(name)))}
    numbers["margin"] = margin
    if math.isnan(low) or math.isnan(high):  # also where nothing varied (of a ratio of sums), which is no certainty
        why = entry.get("note") or "the difference has no interval"
        return Decision(INCONCLUSIVE, f"against {entry['b']}: {why}", numbers)
    mean, least, most = (f"{100 * entry[name]:+.1f}" for name in names[:3])
    shown = f"difference to {entry['b']} is {mean} points [{least}, {most}]"
    if not entry.get("higher_is_better", True):
        low, high, shown = -high, -low, f"{shown}, less is better"
    if low > -margin:
        return Decision(PASS, f"{shown}: {passed}", numbers)
    if high < -margin:
        return Decision(FAIL, f"{shown}: {failed}", numbers)
    return Decision(INCONCLUSIVE, f"{shown}: it cannot be told whether it is {open_question}", numbers)


def no_worse_than_baseline(against: Against, gate: Gate) -> Decision:
    """The primary metric is not worse than the baseline's by more than the margin."""
    entry = against.entries.get("baseline")
    return no_worse(entry, gate.margin) if entry else _nothing(against, "baseline", "no baseline, or this is it")


def better_than_previous(against: Against, gate: Gate) -> Decision:
    """The primary metric is better than the previous checkpoint's, where the gate asks for that."""
    if not gate.better_than_previous:
        return Decision(PASS, "not asked for (better_than_previous: false)")
    entry = against.entries.get("previous")
    if entry is None:
        return _nothing(against, "previous", "no earlier checkpoint of this run")
    return _by_interval(entry, 0.0, "better", "worse", "better")


def enough_items(against: Against, gate: Gate) -> Decision:
    """There are enough items to tell a model that is worse by the margin from an equal one."""
    from stats import sample_size

    entry = against.entries.get("baseline")
    if entry is None:
        return _nothing(against, "baseline", "no baseline, or this is it")
    if gate.margin == 0:
        return Decision(INCONCLUSIVE, "no number of items is enough for a margin of 0")
    if not entry.get("planning"):
        return Decision(INCONCLUSIVE, f"against {entry['b']}: {entry.get('note') or 'the differences do not vary'}")
    needed = sample_size(gate.margin, **entry["planning"])
    said = f"{entry['n']} items, {needed} needed to tell {100 * gate.margin:.1f} points from none with 80 % power"
    numbers = {"n": float(entry["n"]), "needed": float(needed), "margin": gate.margin}
    return Decision(PASS if entry["n"] >= needed else FAIL, said, numbers)


def _nothing(against: Against, role: str, otherwise: str) -> Decision:
    """A side that was asked for and could not be compared leaves the question open; none at all asks nothing."""
    why = against.absent.get(role)
    return Decision(INCONCLUSIVE, why) if why else Decision(PASS, f"nothing to compare with: {otherwise}")


def enough_coverage(report: dict[str, Any], gate: Gate) -> Decision:
    """Enough samples are scored for the score to speak for the task."""
    coverage = _number(report["coverage"])
    if math.isnan(coverage):
        return Decision(FAIL, "no samples at all")
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
        return Decision(FAIL, "no samples at all")
    share = count / total
    state = PASS if share <= most else FAIL
    return Decision(state, f"{100 * share:.1f} % {what}, {100 * most:.1f} % allowed", {"share": share, "allowed": most})


ReportCheck: TypeAlias = Callable[[dict[str, Any], Gate], Decision]
ComparisonCheck: TypeAlias = Callable[[Against, Gate], Decision]
ON_REPORT: dict[CheckName, ReportCheck] = {
    "coverage": enough_coverage,
    "truncated_answers": few_truncated,
    "judge_failures": few_judge_failures,
}
ON_COMPARISON: dict[CheckName, ComparisonCheck] = {
    "no_worse_than_baseline": no_worse_than_baseline,
    "better_than_previous": better_than_previous,
    "enough_items": enough_items,
}


def cell_decisions(report: dict[str, Any], against: Against, gate: Gate) -> list[dict[str, Any]]:
    """All checks of one cell as JSON-able rows: check, state, why, numbers, stops (whether it fails the run)."""
    decided = {name: check(report, gate) for name, check in ON_REPORT.items()}
    decided |= {name: check(against, gate) for name, check in ON_COMPARISON.items()}
    return [
        {"check": name, "state": d.state, "why": d.why, "numbers": d.numbers, "blocking": name in gate.blocking,
         "stops": name in gate.blocking and d.fails(gate.inconclusive)}
        for name, d in decided.items()
    ]  # fmt: skip


def checkpoint_gate(data: dict[str, Any], gate: Gate) -> Decision:
    """No blocking check fails on any task of the checkpoint, as stored now.

    A blocking check holds within one run only; the checkpoint's report asks the store again, for all its cells.

    data: of the checkpoint's report, with `gates` (task -> rows of `cell_decisions`) and `missing` tasks.
    """
    rows = [(task, row) for task, decided in data["gates"].items() for row in decided if row["blocking"]]
    stopped = [f"{task}: {row['why']}" for task, row in rows if row["stops"]]
    numbers = {"cells": float(len(data["gates"])), "stopped": float(len(stopped))}
    if stopped:
        return Decision(FAIL, "; ".join(stopped), numbers)
    unsure = [f"{task}: {row['why']}" for task, row in rows if row["state"] == INCONCLUSIVE]
    unsure += [f"{task}: no report" for task in data["missing"]]
    if unsure:
        return Decision(INCONCLUSIVE, "; ".join(unsure), numbers)
    return Decision(PASS, f"{len(rows)} blocking checks on {len(data['gates'])} tasks passed", numbers)


def _number(value: float | None) -> float:
    """Null in stored JSON stands for NaN."""
    return math.nan if value is None else value
