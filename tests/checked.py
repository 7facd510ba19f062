"""The figure of judges/checked.yaml that a test shows."""

from __future__ import annotations

from typing import Any

from judges.checked import Check, checks_of


def check_of(task: str, metric: str = "", **judge: Any) -> Check:
    """The one check of a judge: `check_of("pope", name="yes_no", rule="pope")`. Raises ValueError otherwise."""
    (found,) = [check for check in checks_of(task, judge) if check.metric == metric]
    return found
