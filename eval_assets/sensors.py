"""Sensors: one a watched directory fills the ledger, one drains it into runs."""

from collections.abc import Sequence

import dagster as dg

from eval_assets import jobs
from eval_assets.partitions import register_partitions
from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.pipeline.checkpoint_report import outdated_reports
from eval_assets.pipeline.draining import Last, Step, Verdict, decide, step_for
from eval_assets.pipeline.learning_curve import outdated_curves
from eval_assets.pipeline.ledger import DONE, FAILED, Wish, settle, wishes
from eval_assets.pipeline.planning import need_of
from eval_assets.pipeline.registering import source_signature
from eval_assets.pipeline.tracking import outstanding_pushes
from eval_assets.pipeline.watching import look
from eval_assets.settings import Settings, Watch, load_settings
from eval_assets.trackers import TrackerSettings
from resources.store import Store
from resources.store.resource import EvalStore
from task_defs import load_task

TARGET, VERSION, ATTEMPT = "eval/target", "eval/version", "eval/attempt"
_JOBS = {
    "dataset": jobs.dataset_job,
    "checkpoint": jobs.checkpoint_job,
    "cell": jobs.cell_job,
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
    decided: dict[Step, Verdict] = {}

    def decide_on(step: Step) -> Verdict:
        if step not in decided:  # many cells wait for one data set
            decided[step] = decide(step, _last(context.instance, step), settings.max_attempts)
        return decided[step]

    settled: set[str] = set()
    for wish in wishes(home)[:_CELLS_A_TICK]:
        step = _next(home, wish, settled, settings.baseline_of(wish.task))
        if step is None:
            continue
        register_partitions(context.instance, [wish.checkpoint], [wish.task])
        if (verdict := decide_on(step)).action == "give_up":
            settle(home, wish, FAILED, verdict.reason)
            settled.add(wish.checkpoint)
    candidates = settled | {w.checkpoint for w in wishes(home, DONE)}
    curves = _curves(home, candidates, settings)
    register_partitions(context.instance, runs=[step.partition for step in curves])
    for step in [*_reports(home, candidates), *curves, *_pushes(home, candidates, settings.trackers)]:
        decide_on(step)
    requests = [_request(step, verdict) for step, verdict in decided.items() if verdict.action == "request"]
    return dg.SensorResult(run_requests=requests)


def _next(store: Store, wish: Wish, settled: set[str], baseline: str | None) -> Step | None:
    """The step a wish needs; a complete or impossible one is settled in the ledger."""
    try:
        need = need_of(store, wish.checkpoint, load_task(wish.task), baseline=baseline)
        if not need.complete:
            return step_for(need, source_signature(find_checkpoint(store, wish.checkpoint)))
        settle(store, wish, DONE)
    except (LookupError, ValueError, RuntimeError, OSError) as error:  # one bad wish must not stop the others
        settle(store, wish, FAILED, str(error))
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


def _request(step: Step, verdict: Verdict) -> dg.RunRequest:
    return dg.RunRequest(
        # Run keys deduplicate for ever, failures included: each attempt needs its own.
        run_key=f"{step.target}:{step.version}:attempt{verdict.attempt}",
        job_name=_JOBS[step.job].name,
        partition_key=step.partition,
        tags={TARGET: step.target, VERSION: step.version, ATTEMPT: str(verdict.attempt)},
    )


def _last(instance: dg.DagsterInstance, step: Step) -> Last | None:
    """The latest run for the step's target."""
    runs = instance.get_runs(filters=dg.RunsFilter(tags={TARGET: step.target}), limit=1)
    if not runs:
        return None
    run = runs[0]
    state = "success" if run.is_success else "failure" if run.is_finished else "running"
    return Last(state, run.tags.get(VERSION, ""), int(run.tags.get(ATTEMPT, "1")), run.run_id)
