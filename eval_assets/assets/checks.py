"""Asset checks: the decisions of `gates.py`, as results of the assets that they are on.

A step of its own for each would cost every cell another 0.1 s.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from eval_assets import gates
from eval_assets.gates import Decision
from eval_assets.partitions import cells_def
from eval_assets.settings import Gate

# With a partitions_def: without one, a good cell's pass would overwrite a bad cell's failure. Dagster
# 1.13 calls that a preview and warns of it once a check, in every process.
warnings.filterwarnings("ignore", category=dg.PreviewWarning, message=".*partitions_def.*AssetCheckSpec.*")


@dataclass(frozen=True)
class Check:
    """A gate under the name that Dagster shows. always: it blocks whatever `blocking` in the settings names.

    To Dagster all are blocking; what fails a run is a failure of severity ERROR, which the settings decide.
    """

    name: str
    decide: Callable[[Any, Gate], Decision]
    always: bool = False

    def spec(self, asset: str, partitions_def: dg.PartitionsDefinition[Any] = cells_def) -> dg.AssetCheckSpec:
        return dg.AssetCheckSpec(
            self.name, asset=asset, description=self.decide.__doc__, blocking=True, partitions_def=partitions_def
        )

    def result(self, data: Any, gate: Gate) -> dg.AssetCheckResult:
        decision = self.decide(data, gate)
        known = {name: x for name, x in decision.numbers.items() if not math.isnan(x)}
        stops = decision.fails(gate.inconclusive) and (self.always or self.name in gate.blocking)
        return dg.AssetCheckResult(
            check_name=self.name, passed=decision.passes(gate.inconclusive), description=decision.why,
            severity=dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN,
            metadata={"state": decision.state, **known},
        )  # fmt: skip


ON_REPORT = [Check(name, decide) for name, decide in gates.ON_REPORT.items()]
ON_COMPARISON = [Check(name, decide) for name, decide in gates.ON_COMPARISON.items()]
ON_CHECKPOINT = [Check("gate", gates.checkpoint_gate, always=True)]
