"""What a tracker is told of one checkpoint: named numbers, and where they come from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_INTERVAL = {"": "value", "_ci_low": "ci_low", "_ci_high": "ci_high"}
_DIFFERENCE = {"_vs_baseline": "mean_diff", "_vs_baseline_ci_low": "ci_low", "_vs_baseline_ci_high": "ci_high"}


@dataclass(frozen=True)
class Point:
    """One checkpoint's scores.

    series: the training run that it is a point of; a checkpoint without a step is a series of its own.
    step:   the training step, None where there is none.
    values: `eval/<task>/<metric>` and its companions, fractions of 1, all finite.
    facts:  checkpoint, fingerprint, page, baseline.
    """

    checkpoint: str
    series: str
    step: int | None
    values: Mapping[str, float]
    facts: Mapping[str, str] = field(default_factory=dict)

    def only(self, names: set[str]) -> Point:
        return replace(self, values={k: v for k, v in self.values.items() if k in names})


def point_of(report: Mapping[str, Any], page: str = "") -> Point:
    """The point that a checkpoint's report (`reports/<checkpoint>.json`) makes. page: its path or URL.

    Of each task: the primary metric with its interval, n, coverage, and the paired difference to the
    baseline with its interval. What is unknown (null, NaN) has no value, never 0.
    """
    versus = {e["task"]: e for e in report["comparisons"].get("baseline", ())}
    values: dict[str, float] = {}
    for task, cell in report["tasks"].items():
        base, primary = f"eval/{safe(task)}", cell["metrics"][cell["primary"]]
        name = f"{base}/{safe(cell['primary'])}"
        found = {name + end: primary[k] for end, k in _INTERVAL.items()}
        found |= {f"{base}/n": primary["n"], f"{base}/coverage": primary["coverage"]}
        if entry := versus.get(task):
            found |= {name + end: entry[k] for end, k in _DIFFERENCE.items()}
        values |= {k: float(v) for k, v in found.items() if v is not None and math.isfinite(v)}
    step, run = report["step"], report["run"]
    facts = {
        "checkpoint": report["checkpoint"],
        "fingerprint": report["provenance"]["fingerprint"],
        "page": page,
        "baseline": ", ".join(sorted({e["b"] for e in versus.values()})),
    }
    series = run if run and step is not None else report["checkpoint"]
    return Point(report["checkpoint"], series, step, values, {k: v for k, v in facts.items() if v})


def safe(name: str) -> str:
    """The name in letters that every tracker takes, and that are no path."""
    return _UNSAFE.sub("_", name).lstrip(".") or "_"
