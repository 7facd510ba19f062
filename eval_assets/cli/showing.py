"""Commands that only read: tasks, plan, report, compare, items, leaderboard, queue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eval_assets.cli.common import Checkpoint, Json, Task, names, print_json, show, store, table

if TYPE_CHECKING:
    from eval_assets.gates import Against

Tasks = Annotated[list[str] | None, typer.Option("--tasks", help="Task or suite names, comma-separated.")]


def tasks(
    catalogue: Annotated[bool, typer.Option("--catalogue", help="The page docs/catalogue.md instead.")] = False,
    lmms_eval: Annotated[str | None, typer.Option(help="Those of lmms-eval with this in their name.")] = None,
    as_json: Json = False,
) -> None:
    """Every task that can be run, and where its data stands."""
    from resources.store.records import datasets
    from task_defs import list_tasks
    from task_defs.lmms_eval import is_lmms_eval, task_names

    if catalogue:
        from eval_assets.pipeline.catalogue import catalogue as page
        from task_defs import load_task

        typer.echo(page(load_task(name) for name in list_tasks([])), nl=False)
        return
    stored = {row["task"]: row for row in datasets(store()).rows()}
    if lmms_eval is None:
        known = [*list_tasks(), *sorted(name for name in stored if is_lmms_eval(name))]
    else:
        known = [name for name in task_names() if lmms_eval in name]
    rows = [{"task": name, "items": stored.get(name, {}).get("n_items")} for name in known]
    if as_json:
        print_json(rows)
        return
    shown = table("task", "items in the store")
    for row in rows:
        shown.add_row(row["task"], "not ingested" if row["items"] is None else str(row["items"]))
    show(shown)


def plan(
    tasks: Tasks = None,
    checkpoint: Annotated[list[str] | None, typer.Option("--checkpoint", help="Only these.")] = None,
    as_json: Json = False,
) -> None:
    """Each cell: would it run, from which asset on, and why."""
    from dataclasses import asdict

    from eval_assets.pipeline.ledger import FAILED, wishes
    from eval_assets.pipeline.planning import OUTPUTS, need_of
    from eval_assets.settings import load_settings
    from resources.models import ModelUnusable
    from resources.store.records import checkpoints, datasets
    from task_defs import TaskError, load_task

    home = store()
    points = names(checkpoint or []) or sorted(r["checkpoint"] for r in checkpoints(home).rows())
    chosen = _task_names(tasks) or sorted(r["task"] for r in datasets(home).rows())
    failed = {(w.checkpoint, w.task): w.reason for w in wishes(home, FAILED) if not w.variant}
    rows = []
    for task in map(load_task, chosen):
        for key in points:
            try:
                row: dict[str, Any] = asdict(need_of(home, key, task, baseline=load_settings().baseline_of(task.task)))
            except (TaskError, ModelUnusable) as error:  # told in its place, the others are planned
                row = {"checkpoint": key, "task": task.task, "stage": OUTPUTS, "reason": str(error), "key": ""}
            row["runs"] = row["stage"] != "complete"
            if row["runs"] and (key, task.task) in failed:
                row["reason"] = f"failed before: {failed[key, task.task]}"
            rows.append(row)
    if as_json:
        print_json(rows)
        return
    shown = table("checkpoint", "task", "runs from", "why")
    for row in rows:
        shown.add_row(row["checkpoint"], row["task"], row["stage"] if row["runs"] else "-", row["reason"])
    show(shown)


def report(
    checkpoint: Checkpoint,
    task: Task,
    variant: Annotated[str, typer.Option(help="Of these answers ('limit=100'); default: the cell itself.")] = "",
    as_json: Json = False,
) -> None:
    """A cell's metrics with intervals, by category."""
    from eval_assets import results

    found = results.report(checkpoint, task, variant)
    against = _against(checkpoint, task, variant)
    if as_json:
        print_json({**found, "comparisons": against.entries, "not_compared": against.absent})
        return
    from eval_assets.reporting import score_table

    show(score_table([found]))
    for other in dict.fromkeys(entry["b"] for entry in against.entries.values()):
        roles = [role for role, entry in against.entries.items() if entry["b"] == other]
        typer.echo(f"{', '.join(roles)}: {_said(against.entries[roles[0]])}")
    for role, why in against.absent.items():
        typer.echo(f"{role}: not compared: {why}")
    for field, values in found["by"].items():
        offered = [name for metrics in values.values() for name in metrics]  # a macro average has no categories
        lead = found["primary"] if found["primary"] in offered or not offered else offered[0]
        shown = table(field, lead, "95 % interval", "n")
        for value, metrics in values.items():
            m = metrics[lead]
            numbers = [_percent(m[k]) for k in ("value", "ci_low", "ci_high")]
            shown.add_row(value, numbers[0], f"{numbers[1]} … {numbers[2]}", str(m["n"]))
        show(shown)


def compare(
    a: Checkpoint,
    b: Annotated[str, typer.Argument(help="The other side.")],
    tasks: Tasks = None,
    margin: Annotated[
        float | None, typer.Option(help="Also: is a not worse by this, is it within this? 0.02: two points.")
    ] = None,
    as_json: Json = False,
) -> None:
    """a minus b, item by item, for every metric; p also corrected by Holm over the tasks."""
    from eval_assets.compare import paired_comparison
    from eval_assets.settings import check_margin

    if margin is not None:
        try:
            check_margin(margin)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--margin") from error
    found = paired_comparison(a, b, _task_names(tasks) or None, margin=margin)
    if as_json:
        print_json(found)
        return
    from eval_assets.reporting import comparison_table

    show(comparison_table(found))
    for entry in found:
        typer.echo(_said(entry))


def _said(entry: dict[str, Any]) -> str:
    """The sentence to quote, the tests of a margin, and what could have been seen."""
    from eval_assets.pipeline.comparing import sentence
    from eval_assets.reporting.words import could_detect, within_margin

    return "; ".join(filter(None, (sentence(entry), within_margin(entry), could_detect(entry))))


def _against(checkpoint: str, task: str, variant: str) -> Against:
    """What the cell is compared with, as of the scores that are stored now; a variant is compared with nothing."""
    from eval_assets.gates import Against
    from eval_assets.pipeline.cell import find_checkpoint
    from eval_assets.pipeline.comparisons import comparisons_now
    from eval_assets.settings import load_settings
    from task_defs import load_task

    if variant:
        return Against()
    baseline = load_settings().baseline_of(task)
    return comparisons_now(store(), find_checkpoint(store(), checkpoint), load_task(task), baseline)


def items(
    checkpoint: Checkpoint,
    task: Task,
    wrong: Annotated[bool, typer.Option("--wrong", help="Only items that scored below 1.")] = False,
    unscored: Annotated[bool, typer.Option("--unscored", help="Only samples without a score.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """Question, target, response and verdict, item by item."""
    from eval_assets import results

    rows = results.items(checkpoint, task, wrong=wrong, unscored=unscored, limit=limit)
    if as_json:
        print_json(rows)
        return
    shown = table("item", "question", "target", "response", "score", "flags or reason")
    for row in rows:
        score = "unscored" if row["score"] is None else f"{row['score']:g}"
        # A traceback, where there is one, is in `--json`.
        why = row["unscored"].partition("\n")[0] if row["unscored"] else ", ".join(row["flags"])
        cells = (row["item_id"], row["question"], json.dumps(row["target"], ensure_ascii=False), row["text"] or "")
        shown.add_row(*(c if len(c) <= 200 else c[:200] + "…" for c in cells), score, why)
    show(shown)


def leaderboard(as_json: Json = False) -> None:
    """The primary metric of every checkpoint on every task."""
    from eval_assets.pipeline.leaderboard import leaderboard_data

    data = leaderboard_data(store())
    if as_json:
        print_json(data["rows"])
        return
    shown = table("task", "checkpoint", "metric", "score", "95 % interval", "n", "coverage")
    for row in data["rows"]:
        say = "{:.4g}".format if row.get("own_unit") else _percent
        numbers = [*(say(row[k]) for k in ("value", "ci_low", "ci_high")), _percent(row["coverage"])]
        interval = f"{numbers[1]} … {numbers[2]}"
        shown.add_row(row["task"], row["checkpoint"], row["metric"], numbers[0], interval, str(row["n"]), numbers[3])
    show(shown)


def queue(as_json: Json = False) -> None:
    """The ledger: cells that are wanted, done or given up."""
    from resources.store.records import wanted

    rows = sorted(wanted(store()).rows(), key=lambda r: (r["state"], -r["priority"], r["at"]))
    if as_json:
        print_json(rows)
        return
    shown = table("checkpoint", "task", "state", "wanted by", "priority", "reason")
    for row in rows:
        shown.add_row(row["checkpoint"], row["task"], row["state"], row["who"], str(row["priority"]), row["reason"])
    show(shown)


def _task_names(tasks: list[str] | None) -> list[str]:
    from eval_assets.settings import load_settings

    suites = load_settings().suites
    return list(dict.fromkeys(t for name in names(tasks or []) for t in suites.get(name, (name,))))


def _percent(value: float | None) -> str:
    from eval_assets.pipeline.report import percent

    return percent(value)
