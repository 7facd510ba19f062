"""`evals run` and `evals ingest`: Dagster runs in this process, visible in the UI like any other."""

from __future__ import annotations

import json
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eval_assets.cli.common import Json, names, parse_pairs, print_json, show, store
from eval_assets.cli.models import Model, ModelArgs, resolve
from resources.store import Store
from task_defs import TaskDef

if TYPE_CHECKING:
    import dagster as dg

    from eval_assets.pipeline.cell import Variant
    from eval_assets.settings import Gate


class RunFailed(RuntimeError):
    """A Dagster run failed; the message is its cause."""


def ingest(
    tasks: Annotated[list[str], typer.Argument(help="Task names.")],
    as_json: Json = False,
) -> None:
    """Bring the stored items of tasks up to their source."""
    from resources.store.records import datasets
    from task_defs import load_task

    for task in [load_task(name) for name in names(tasks)]:
        materialize_dataset(task)
        row = datasets(store()).get(task=task.task) or {}
        done = {k: row.get(k) for k in ("task", "version", "n_items", "n_missing_media", "n_media", "media_bytes")}
        quarantined = json.loads(row.get("quarantined") or "[]")
        if as_json:
            print_json({**done, "quarantined": quarantined})
            continue
        typer.echo(f"{task.task}: {done['n_items']} items, {done['n_media']} media ({done['media_bytes']} bytes)")
        if done["n_missing_media"]:
            typer.echo(f"  {done['n_missing_media']} items lack a medium: they are judged only from recorded answers")
        for entry in quarantined[:10]:
            typer.echo(f"  quarantined row {entry['position']}: {entry['reason']}")


def run(
    checkpoint: Annotated[str, typer.Option(help="Its name, a path or a hub id.")],
    tasks: Annotated[list[str], typer.Option(help="Task or suite names, comma-separated.")],
    model: Model = None,
    model_args: ModelArgs = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N items (a variant).")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Samples an item (a variant).")] = None,
    gen: Annotated[str | None, typer.Option(help="Generation parameters k=v,k=v (a variant).")] = None,
    judge_only: Annotated[bool, typer.Option("--judge-only", help="Judge what is stored; ask no model.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Put the cells into the ledger for the daemon.")] = False,
    as_json: Json = False,
) -> None:
    """Evaluate a checkpoint on tasks and print the scores with their intervals."""
    from eval_assets.pipeline.cell import Variant
    from eval_assets.pipeline.checkpoint_report import outdated_reports
    from eval_assets.pipeline.planning import need_of
    from eval_assets.settings import load_settings
    from task_defs import load_task

    settings = load_settings()
    wanted = list(dict.fromkeys(t for name in names(tasks) for t in settings.suites.get(name, (name,))))
    definitions = [load_task(name) for name in wanted]
    point = resolve(checkpoint, model, parse_pairs(model_args, "--model-args"))
    variant = Variant(limit, repeats, _generation(gen))
    if detach:
        _detach(point.key, wanted, variant)
        return
    failures: dict[str, str] = {}
    runs = Runs()
    runs.identify(point.key)
    for task in definitions:
        try:
            ensure_dataset(store(), task, runs)
            if need_of(store(), point.key, task, variant, baseline=settings.baseline).complete:
                _gate_again(point.key, task.task, variant, settings.gate)
            else:
                runs.cell(point.key, task, variant, judge_only=judge_only)
        except RunFailed as error:
            failures[task.task] = str(error)
    if point.key in outdated_reports(store()) and not variant.id:
        runs.checkpoint_report(point.key)
    _finish(point.key, [t.task for t in definitions if t.task not in failures], variant, failures, as_json)


def _gate_again(checkpoint: str, task: str, variant: Variant, gate: Gate) -> None:
    """A complete cell runs no more; whether it passes the gate is looked up."""
    from eval_assets.gates import stored_gate
    from eval_assets.pipeline.files import report_name

    sys.stderr.write(f"{checkpoint} on {task}: complete, nothing to run\n")
    comparison = store().read_json("reports", task, f"{report_name(checkpoint, variant.id)}.compare.json")
    if comparison is not None and not variant.id:
        decision = stored_gate(comparison, gate)
        if not decision.passes(gate.inconclusive):
            raise RunFailed(f"no_worse_than_baseline: {decision.why}")


def _generation(text: str | None) -> dict[str, Any]:
    from task_defs import GenerationKwargs

    pairs = parse_pairs(text, "--gen")
    if not pairs:
        return {}
    allowed = GenerationKwargs.model_validate(pairs).to_dict()
    # Only what was named: the defaults of the model are the task's to set.
    spoken = {"max_new_tokens": "max_tokens", "max_gen_toks": "max_tokens", "until": "stop", "do_sample": "temperature"}
    return {k: allowed[k] for k in (spoken.get(name, name) for name in pairs) if k in allowed}


def _detach(checkpoint: str, tasks: list[str], variant: Any) -> None:
    from eval_assets.pipeline.ledger import Wish, wish_for

    if variant.id:
        raise typer.BadParameter("--detach takes tasks as they are defined, no --limit, --repeats or --gen")
    wish_for(store(), [Wish(checkpoint, task, "shell") for task in tasks])
    typer.echo(f"{len(tasks)} cells of {checkpoint} are wanted: the daemon (`make ui`) runs them, see `evals queue`")


def _finish(checkpoint: str, done: list[str], variant: Any, failures: dict[str, str], as_json: bool) -> None:
    from eval_assets.pipeline.files import report_name

    reports = [store().read_json("reports", task, f"{report_name(checkpoint, variant.id)}.json") for task in done]
    if as_json:
        print_json({"reports": reports, "failures": failures})
    elif reports:
        from eval_assets.reporting import score_table

        show(score_table(reports))
        if not variant.id:
            typer.echo(f"page: {store().file('reports', report_name(checkpoint) + '.html')}")
    for task, why in failures.items():
        sys.stderr.write(f"evals: {task}: {why}\n")
    if failures:
        sys.exit(1)


def ensure_dataset(home: Store, task: TaskDef, runs: Runs | None = None) -> None:
    """Ingest where there are no items yet or the task's definition of them has changed."""
    from resources.store.records import datasets
    from task_defs.digests import data_digest

    record = datasets(home).get(task=task.task)
    if record is None or record["definition"] != data_digest(task):
        (runs or Runs()).dataset(task)


def materialize_dataset(task: TaskDef) -> None:
    Runs().dataset(task)


class Runs:
    """Runs of the code location's jobs on the instance of DAGSTER_HOME, one after another."""

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        import dagster

        return dagster.DagsterInstance.get()

    def identify(self, checkpoint: str) -> None:
        from eval_assets.pipeline.cell import find_checkpoint
        from eval_assets.pipeline.registering import changed_since

        point = find_checkpoint(store(), checkpoint)
        if point.fingerprint is None or changed_since(point):
            self._register([checkpoint], [])
            self._execute("checkpoint", checkpoint)

    def dataset(self, task: TaskDef) -> None:
        self._register([], [task.task])
        self._execute("dataset", task.task)

    def cell(self, checkpoint: str, task: TaskDef, variant: Any, *, judge_only: bool) -> None:
        from eval_assets.partitions import cell_partition

        self._register([checkpoint], [task.task])
        if variant.id:
            config = {"checkpoint": checkpoint, "task": task.task, "gen": json.dumps(dict(variant.gen))}
            config |= {k: v for k, v in (("limit", variant.limit), ("repeats", variant.repeats)) if v is not None}
            self._execute("variant", None, {"ops": {"evaluate_variant": {"config": config}}})
        else:
            selection = ["judge_scores", "statistical_report", "comparison"] if judge_only else None
            self._execute("cell", cell_partition(checkpoint, task.task), selection=selection)

    def checkpoint_report(self, checkpoint: str) -> None:
        self._execute("checkpoint_report", checkpoint)

    def _register(self, checkpoints: list[str], tasks: list[str]) -> None:
        from eval_assets.partitions import register_partitions

        register_partitions(self.instance, checkpoints, tasks)

    def _execute(
        self, job: str, partition: str | None, config: dict[str, Any] | None = None, selection: list[str] | None = None
    ) -> None:
        import dagster as dg

        from eval_assets.definitions import defs

        result = defs.resolve_job_def(f"{job}_job").execute_in_process(
            partition_key=partition,
            instance=self.instance,
            run_config={**(config or {}), "loggers": {"plain": {}}},
            raise_on_error=False,
            asset_selection=[dg.AssetKey(name) for name in selection] if selection else None,
        )
        if not result.success:
            raise RunFailed(_cause(result))


def _cause(result: Any) -> str:
    """The failed step's error in the words that it was raised with, without Dagster's wrapping."""
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            error = event.step_failure_data.error
            while error.cause and str(error.cls_name).startswith("Dagster"):
                error = error.cause
            return str(error.message.strip().partition(": ")[2] or error.message.strip())
    checks = result.get_asset_check_evaluations()
    failed = [f"{c.check_name}: {c.description}" for c in checks if not c.passed and c.blocking]
    return "; ".join(failed) or f"run {result.run_id} failed"
