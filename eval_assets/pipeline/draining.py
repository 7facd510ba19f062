"""Which runs the wanted cells need next: pure decisions over what is stored and what runs already."""

from __future__ import annotations

from dataclasses import dataclass

from eval_assets.pipeline.planning import CHECKPOINT, DATASET, Need


@dataclass(frozen=True, slots=True)
class Step:
    """A run to ask for. job: checkpoint, dataset, cell, variant or checkpoint_report; partition: its key.

    version: what it would be made from. The same step of the same version is tried a bounded number
    of times, another version begins anew. variant: of the cell, as the ledger has it.
    """

    job: str
    partition: str
    version: str
    variant: str = ""

    @property
    def target(self) -> str:
        return f"{self.job}:{self.partition}" + (f"@{self.variant}" if self.variant else "")


@dataclass(frozen=True, slots=True)
class Last:
    """The latest run for a target: `running`, `success` or `failure`."""

    state: str
    version: str
    attempt: int
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about a step: request its attempt, wait, or give up for a reason."""

    action: str  # request, wait, give_up
    attempt: int = 1
    reason: str = ""


def cell_step(checkpoint: str, task: str, variant: str = "", version: str = "") -> Step:
    """The run of a cell as the ledger names it."""
    return Step("variant" if variant else "cell", f"{checkpoint}|{task}", version, variant)


def step_for(need: Need, signature: str, variant: str = "") -> Step:
    """The run that an incomplete cell needs next. signature: of the checkpoint's files now."""
    if need.stage == CHECKPOINT:
        return Step("checkpoint", need.checkpoint, signature)
    if need.stage == DATASET:
        return Step("dataset", need.task, need.reason)
    return cell_step(need.checkpoint, need.task, variant, f"{need.key}:{need.stage}")


def decide(step: Step, last: Last | None, max_attempts: int) -> Verdict:
    """Whether to ask for this step now, given the latest run for its target.

    A run that ended well and still left the step to do counts as an attempt: it would go on for ever.
    """
    if last is None or (last.state != "running" and last.version != step.version):
        return Verdict("request", 1)
    if last.state == "running":
        return Verdict("wait", last.attempt)
    if last.attempt >= max_attempts:
        how = "failed" if last.state == "failure" else "ended without completing it"
        return Verdict("give_up", last.attempt, f"{step.target} {how} {last.attempt} times, last in run {last.run_id}")
    return Verdict("request", last.attempt + 1)
