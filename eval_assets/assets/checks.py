"""Asset checks: the decisions of `gates.py`, as results of the assets that they are on.

A step of its own for each would cost every cell another 0.1 s.
"""

import warnings
from dataclasses import dataclass
from typing import Any, Protocol

import dagster as dg

from eval_assets.gates import (
    FAIL,
    Decision,
    checkpoint_gate,
    enough_coverage,
    few_judge_failures,
    few_truncated,
    no_worse_than_baseline,
)
from eval_assets.partitions import cells_def
from eval_assets.settings import Gate

# With a partitions_def: without one, a good cell's pass would overwrite a bad cell's failure. Dagster
# 1.13 calls that a preview and warns of it once a check, in every process.
warnings.filterwarnings("ignore", category=dg.PreviewWarning, message=".*partitions_def.*AssetCheckSpec.*")


class _Decide(Protocol):
    __doc__: str | None

    def __call__(self, data: dict[str, Any], gate: Gate, /) -> Decision: ...


@dataclass(frozen=True)
class Check:
    """A gate under the name that Dagster shows. A blocking one fails the run, the others warn."""

    name: str
    decide: _Decide
    blocking: bool = False

    def spec(self, asset: str, partitions_def: dg.PartitionsDefinition[Any] = cells_def) -> dg.AssetCheckSpec:
        return dg.AssetCheckSpec(
            self.name, asset=asset, description=self.decide.__doc__, blocking=self.blocking,
            partitions_def=partitions_def,
        )  # fmt: skip

    def result(self, data: dict[str, Any], gate: Gate) -> dg.AssetCheckResult:
        decision = self.decide(data, gate)
        passed, severity = decision.state != FAIL, dg.AssetCheckSeverity.WARN
        if self.blocking:
            passed, severity = decision.passes(gate.inconclusive), dg.AssetCheckSeverity.ERROR
        return dg.AssetCheckResult(
            check_name=self.name, passed=passed, severity=severity, description=decision.why,
            metadata={"state": decision.state, **decision.numbers},
        )  # fmt: skip


ON_REPORT = [
    Check("coverage", enough_coverage),
    Check("truncated_answers", few_truncated),
    Check("judge_failures", few_judge_failures),
]
ON_COMPARISON = [Check("no_worse_than_baseline", no_worse_than_baseline, blocking=True)]
ON_CHECKPOINT = [Check("gate", checkpoint_gate, blocking=True)]
