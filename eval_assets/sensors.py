"""Sensors: one a watched directory fills the ledger, one drains it into runs."""

import warnings
from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from eval_assets import jobs
from eval_assets.jobs import variant_config
from eval_assets.partitions import register_partitions
from eval_assets.pipeline.cell import Variant, find_checkpoint
from eval_assets.pipeline.checkpoint_report import outdated_reports
from eval_assets.pipeline.draining import Last, Step, Verdict, cell_step, decide, step_for
from eval_assets.pipeline.learning_curve import outdated_curves
from eval_assets.pipeline.ledger import CANCELLED, DONE, FAILED, WANTED, Wish, by_cell, settle, wishes
from eval_assets.pipeline.planning import CHECKPOINT, need_of
from eval_assets.pipeline.registering import source_signature, still_written
from eval_assets.pipeline.tracking import outstanding_pushes
from eval_assets.pipeline.watching import look
from eval_assets.settings import Settings, Watch, load_settings
from eval_assets.trackers import TrackerSettings
from eval_assets.unfinished import TARGET, end_orphans, runs_of_cells, stop_runs
from resources.store import Store
from resources.store.resource import EvalStore
from task_defs import load_task

# Dagster copies a sensor of jobs with its resources, and warns of an argument of its own, in every process.
warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*`owners` of initializer `SensorDefinition")

VERSION, ATTEMPT, WHO = "eval/version", "eval/attempt", "eval/wanted_by"
_JOBS = {
    "dataset": jobs.dataset_job,
    "checkpoint": jobs.checkpoint_job,
    "cell": jobs.cell_job,
    "variant": jobs.variant_job,
    "checkpoint_report": jobs.checkpoint_report_job,
    "learning_curve": jobs.learning_curve_job,
    "tracked": jobs.tracked_job,
}
# Cells looked at in a tick: a tick has 60 s, and runs wait in the queue anyway.
_CELLS_A_TICK = 200


def all_sensors() -> list[dg.SensorDefinition]:
    return [*(_watch_sensor(watch) for watch in load_settings().watch), drain_wanted]


def _watch_sensor(watch: Watch) -> dg.SensorDefinition:
    @dg.sensor(
        name=watch.name,
        minimum_interval_seconds=watch.interval,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Whole checkpoints in {watch.path} become wanted cells of the suite {watch.suite}.",
    )
    def watch_directory(context: dg.SensorEvaluationContext, store: EvalStore) -> dg.SkipReason:
        if not watch.path.is_dir():
            return dg.SkipReason(f"{watch.path} is not there (yet)")
        seen = look(store.open(), watch, load_settings())
        register_partitions(context.instance, [p.key for p in seen.wanted], list(seen.tasks))
        waiting = [f"{key} waits: {why}" for key, why in seen.waiting.items()]
        return dg.SkipReason("; ".join([f"{len(seen.wanted)} new", *waiting[:5], *seen.notes[:5]]))

    return watch_directory


@dg.sensor(jobs=list(_JOBS.values()), minimum_interval_seconds=5, default_status=dg.DefaultSensorStatus.RUNNING)
def drain_wanted(context: dg.SensorEvaluationContext, store: EvalStore) -> dg.SensorResult:
    """Each wanted cell's next run: checkpoint, data set, cell; then the checkpoint's report and its run's curve."""
    home, settings = store.open(), load_settings()
    end_orphans(context.instance)
    _stop_cancelled(context.instance, home)
    decided: dict[Step, tuple[Verdict, list[Wish]]] = {}

    def decide_on(step: Step, asked_by: Sequence[Wish] = ()) -> Verdict:
        if step not in decided:  # many cells wait for one data set
            last = _last(context.instance, step, asked_by)
            decided[step] = decide(step, last, settings.max_attempts), []
        decided[step][1].extend(asked_by)
        return decided[step][0]

    settled: set[str] = set()
    for asked_by in by_cell(wishes(home))[:_CELLS_A_TICK]:
        wish = asked_by[0]
        step = _next(home, asked_by, settled, settings.baseline_of(wish.task))
        if step is None:
            continue
        register_partitions(context.instance, [wish.checkpoint], [wish.task])
        if (verdict := decide_on(step, asked_by)).action == "give_up":
            settle(home, asked_by, FAILED, verdict.reason)
            settled.add(wish.checkpoint)
    candidates = settled | {w.checkpoint for w in wishes(home, DONE)}
    curves = _curves(home, candidates, settings)
    register_partitions(context.instance, runs=[step.partition for step in curves])
    for step in [*_reports(home, candidates), *curves, *_pushes(home, candidates, settings.trackers)]:
        decide_on(step)
    requests = [_request(step, *found) for step, found in decided.items() if found[0].action == "request"]
    return dg.SensorResult(run_requests=requests)


def _stop_cancelled(instance: dg.DagsterInstance, store: Store) -> None:
    """End runs of cells that were cancelled, and of which another tick had asked for a run by then."""
    still = {w.cell for w in wishes(store)}
    targets = {cell_step(*w.cell).target for w in wishes(store, CANCELLED) if w.cell not in still}
    if targets:
        stop_runs(instance, [run.run_id for target, run in runs_of_cells(instance).items() if target in targets])


def _next(store: Store, asked_by: Sequence[Wish], settled: set[str], baseline: str | None) -> Step | None:
    """The step a cell needs; the wishes for a complete or impossible one are settled in the ledger."""
    wish = asked_by[0]
    try:
        variant = Variant.read(wish.variant)
        need = need_of(store, wish.checkpoint, load_task(wish.task), variant, baseline=baseline)
        if not need.complete:
            point = find_checkpoint(store, wish.checkpoint)
            if need.stage == CHECKPOINT and (problem := still_written(point)):
                settle(store, [w for w in asked_by if w.reason != problem], WANTED, problem)
                return None
            return step_for(need, source_signature(point), wish.variant)
        settle(store, asked_by, DONE)
    except (LookupError, ValueError, RuntimeError, OSError) as error:  # one bad wish must not stop the others
        settle(store, asked_by, FAILED, str(error))
    settled.add(wish.checkpoint)
    return None


def _reports(store: Store, candidates: set[str]) -> list[Step]:
    """Reports of checkpoints of which nothing is wanted any more, where a cell has changed."""
    open_wishes = {w.checkpoint for w in wishes(store)}
    return [
        Step("checkpoint_report", key, inputs)
        for key, inputs in sorted(outdated_reports(store).items())
        if key in candidates and key not in open_wishes
    ]


def _curves(store: Store, candidates: set[str], settings: Settings) -> list[Step]:
    """Curves of runs of which a checkpoint has changed and nothing is wanted of it any more."""
    whole = candidates - {w.checkpoint for w in wishes(store)}
    outdated = outdated_curves(store, settings) if whole else {}
    return [Step("learning_curve", run, due.inputs) for run, due in sorted(outdated.items()) if due.changed & whole]


def _pushes(store: Store, candidates: set[str], trackers: Sequence[TrackerSettings]) -> list[Step]:
    """What trackers are still to be told of reports that are up to date."""
    due = outstanding_pushes(store, trackers)
    outdated = outdated_reports(store) if due else {}
    return [
        Step("tracked", key, version) for key, version in sorted(due.items()) if key in candidates - outdated.keys()
    ]


def _request(step: Step, verdict: Verdict, asked_by: Sequence[Wish]) -> dg.RunRequest:
    tags = {TARGET: step.target, VERSION: step.version, ATTEMPT: str(verdict.attempt)}
    if asked_by:
        tags[WHO] = ", ".join(sorted({w.who for w in asked_by})[:10])
        tags["dagster/priority"] = str(max(w.priority for w in asked_by))
    since = _since(asked_by)
    config = {}
    if step.variant:
        checkpoint, task = step.partition.split("|")
        config = variant_config(checkpoint, task, Variant.read(step.variant))
    return dg.RunRequest(
        # Run keys deduplicate for ever, failures included: each attempt needs its own, and each wish for it.
        run_key=f"{step.target}:{step.version}:{since.isoformat() if since else ''}:attempt{verdict.attempt}",
        job_name=_JOBS[step.job].name,
        partition_key=None if step.variant else step.partition,
        run_config=config,
        tags=tags,
    )


def _since(asked_by: Sequence[Wish]) -> datetime | None:
    """When a step was wished for last: what failed before that does not count against it."""
    return max((w.at for w in asked_by if w.at), default=None)


def _last(instance: dg.DagsterInstance, step: Step, asked_by: Sequence[Wish]) -> Last | None:
    """The latest run for the step's target that runs, or that has ended since it was wished for."""
    records = instance.get_run_records(filters=dg.RunsFilter(tags={TARGET: step.target}), limit=1)
    if not records:
        return None
    run, since = records[0].dagster_run, _since(asked_by)
    if run.is_finished and since and records[0].create_timestamp < since:
        return None
    state = "success" if run.is_success else "failure" if run.is_finished else "running"
    return Last(state, run.tags.get(VERSION, ""), int(run.tags.get(ATTEMPT, "1")), run.run_id)
