"""Asset checks: the gates of `gates.py`, looked up from what is stored."""

import warnings
from typing import Any

import dagster as dg

from eval_assets.assets.checkpoint_report import checkpoint_report
from eval_assets.assets.comparison import comparison
from eval_assets.assets.report import statistical_report
from eval_assets.gates import FAIL, Decision, enough_coverage, few_judge_failures, few_truncated, no_worse, stored_gate
from eval_assets.partitions import cells_def, checkpoints_def
from eval_assets.pipeline.files import report_name
from eval_assets.settings import load_settings
from resources.store import Store
from resources.store.resource import EvalStore


def _stored(store: Store, context: dg.AssetCheckExecutionContext, suffix: str = "") -> dict[str, Any]:
    names = context.partition_key.keys_by_dimension  # type: ignore[attr-defined]
    found = store.read_json("reports", names["task"], f"{report_name(names['checkpoint'])}{suffix}.json")
    if found is None:
        raise dg.Failure(f"{context.partition_key} has no report: materialize statistical_report first")
    return dict(found)


def _result(decision: Decision, passed: bool, severity: dg.AssetCheckSeverity) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed, severity=severity, description=decision.why,
        metadata={"state": decision.state, **decision.numbers},
    )  # fmt: skip


# With a partitions_def: without one, a good cell's pass would overwrite a bad cell's failure. Dagster
# 1.13 calls that a preview and warns of it once a check, in every process.
warnings.filterwarnings("ignore", category=dg.PreviewWarning, message=".*partitions_def.*AssetCheckSpec.*")


@dg.asset_check(asset=statistical_report, partitions_def=cells_def)
def coverage(context: dg.AssetCheckExecutionContext, store: EvalStore) -> dg.AssetCheckResult:
    """Enough samples are scored."""
    decision = enough_coverage(_stored(store.open(), context), load_settings().gate)
    return _result(decision, decision.state != FAIL, dg.AssetCheckSeverity.WARN)


@dg.asset_check(asset=statistical_report, partitions_def=cells_def)
def truncated_answers(context: dg.AssetCheckExecutionContext, store: EvalStore) -> dg.AssetCheckResult:
    """Not too many answers end at the token limit."""
    decision = few_truncated(_stored(store.open(), context), load_settings().gate)
    return _result(decision, decision.state != FAIL, dg.AssetCheckSeverity.WARN)


@dg.asset_check(asset=statistical_report, partitions_def=cells_def)
def judge_failures(context: dg.AssetCheckExecutionContext, store: EvalStore) -> dg.AssetCheckResult:
    """The judge could score what the model answered."""
    decision = few_judge_failures(_stored(store.open(), context), load_settings().gate)
    return _result(decision, decision.state != FAIL, dg.AssetCheckSeverity.WARN)


@dg.asset_check(asset=comparison, partitions_def=cells_def, blocking=True)
def no_worse_than_baseline(context: dg.AssetCheckExecutionContext, store: EvalStore) -> dg.AssetCheckResult:
    """The primary metric is not worse than the baseline's by more than the margin. Fails CI."""
    gate = load_settings().gate
    decision = stored_gate(_stored(store.open(), context, ".compare"), gate)
    return _result(decision, decision.passes(gate.inconclusive), dg.AssetCheckSeverity.ERROR)


# Blocking holds within one run only, and a checkpoint's report is another run: the store is asked again.
@dg.asset_check(asset=checkpoint_report, partitions_def=checkpoints_def, blocking=True)
def gate(context: dg.AssetCheckExecutionContext, store: EvalStore) -> dg.AssetCheckResult:
    """No task of the checkpoint is worse than the baseline by more than the margin."""
    settings = load_settings()
    data = store.open().read_json("reports", f"{report_name(context.partition_key)}.json") or {}
    decisions = {e["task"]: no_worse(e, settings.gate.margin) for e in data.get("comparisons", {}).get("baseline", [])}
    failed = [f"{task}: {d.why}" for task, d in decisions.items() if not d.passes(settings.gate.inconclusive)]
    why = "; ".join(failed) or f"{len(decisions)} tasks compared with the baseline"
    return dg.AssetCheckResult(
        passed=not failed, severity=dg.AssetCheckSeverity.ERROR, description=why,
        metadata={task: d.state for task, d in decisions.items()},
    )  # fmt: skip


ALL = [coverage, truncated_answers, judge_failures, no_worse_than_baseline, gate]
