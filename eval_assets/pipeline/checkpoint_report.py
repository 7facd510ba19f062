"""Everything about one checkpoint, put together from what its cells wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.pipeline.comparing import holm
from eval_assets.pipeline.comparisons import comparisons_now
from eval_assets.pipeline.files import clean, report_name, write_json
from eval_assets.pipeline.registering import run_of
from eval_assets.settings import Settings
from eval_assets.versions import digest, git_commit, package_versions
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from resources.store.records import cells, summary
from resources.store.tables import one_of, quoted
from task_defs import load_task

_STAGE = "checkpoint_report"
_MADE_FROM = ("report", "comparison")


@dataclass
class Written:
    """data: what the page shows; page, json: where they were written."""

    data: dict[str, Any]
    version: str
    page: str
    json: str


def report_inputs(store: Store, key: str) -> str:
    """Digest of the versions of all that a checkpoint's report is made from."""
    where = f"checkpoint = {quoted(key)} AND variant = '' AND {one_of('stage', _MADE_FROM)}"
    return _inputs(cells(store).rows(where)).get(key, "")


def outdated_reports(store: Store) -> dict[str, str]:
    """Checkpoint -> inputs of the report that it should have and has not, in one read of the cells."""
    rows = cells(store).rows(f"variant = '' AND {one_of('stage', (*_MADE_FROM, _STAGE))}")
    reported = {row["checkpoint"]: row["key"] for row in rows if row["stage"] == _STAGE}
    inputs = _inputs([row for row in rows if row["stage"] != _STAGE])
    ready = {row["checkpoint"] for row in rows if row["stage"] == "report"}
    return {key: value for key, value in inputs.items() if key in ready and reported.get(key) != value}


def _inputs(rows: list[dict[str, Any]]) -> dict[str, str]:
    made: dict[str, list[list[str]]] = {}
    for row in rows:
        made.setdefault(row["checkpoint"], []).append([row["task"], row["stage"], row["version"]])
    return {key: digest(sorted(parts)) for key, parts in made.items()}


def write_checkpoint_report(store: Store, key: str, settings: Settings, run_id: str = "") -> Written:
    """The checkpoint's page and JSON. Raises UnknownCheckpoint, and LookupError without any report."""
    from eval_assets.reporting import checkpoint_page

    inputs = report_inputs(store, key)  # before the rest: what changes meanwhile makes the report outdated
    data = checkpoint_data(store, key, settings)
    version = digest([[r["version"] for r in data["tasks"].values()], data["comparisons"], data["history"]])
    shown = clean(data)
    page = store.write_file(checkpoint_page(shown).encode(), "reports", f"{report_name(key)}.html")
    written = Written(shown, version, page, write_json(store, shown, report_name(key)))
    made = {"checkpoint": key, "task": "", "variant": "", "stage": _STAGE, "key": inputs, "version": version}
    cells(store).upsert([{**made, "n_rows": 0, "details": "{}", "run_id": run_id, "at": datetime.now(UTC)}])
    return written


def checkpoint_data(store: Store, key: str, settings: Settings) -> dict[str, Any]:
    """Reports, Holm-corrected comparisons and the run's history, as JSON-able data."""
    point = find_checkpoint(store, key)
    suite = settings.suite(point.suite) if point.suite else ()
    measured = [r["task"] for r in summary(store).rows(f"checkpoint = {quoted(key)} AND is_primary")]
    names = [*suite, *sorted(set(measured) - set(suite))]
    reports = {name: store.read_json("reports", name, f"{report_name(key)}.json") for name in names}
    found = {name: report for name, report in reports.items() if report}
    if not found:
        raise LookupError(f"checkpoint {key!r} has no report yet: run a cell of it first")
    run = [p for p in run_of(store, point) if (p.step or 0) <= (point.step or 0)]
    compared = {name: comparisons_now(store, point, load_task(name), settings.baseline) for name in found}
    return {
        "checkpoint": key,
        "run": point.run,
        "step": point.step,
        "suite": point.suite,
        **_roles(compared, settings.baseline),
        "tasks": found,
        "missing": [name for name in suite if name not in found],
        "comparisons": {role: _family(compared, role) for role in ("baseline", "previous", "first")},
        "history": {name: _history(store, name, run) for name in found},
        "provenance": _provenance(point),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _family(compared: dict[str, dict[str, Any]], role: str) -> list[dict[str, Any]]:
    """The primary metric on all tasks against one other checkpoint: one family for Holm."""
    entries = [roles[role] for roles in compared.values() if role in roles]
    return holm([{**e, "p_value": float("nan") if e["p_value"] is None else e["p_value"]} for e in entries])


def _roles(compared: dict[str, dict[str, Any]], baseline: str | None) -> dict[str, str | None]:
    found = {role: entry["b"] for roles in compared.values() for role, entry in roles.items()}
    return {"baseline": baseline, "previous": found.get("previous"), "first": found.get("first")}


def _history(store: Store, task: str, run: list[Checkpoint]) -> list[dict[str, Any]]:
    """The run's scores on a task in order of step, each with its paired differences."""
    where = f"task = {quoted(task)} AND is_primary AND {one_of('checkpoint', [p.key for p in run])}"
    rows = {r["checkpoint"]: r for r in summary(store).rows(where)}
    fields = ("checkpoint", "step", "metric", "value", "se", "ci_low", "ci_high", "n", "n_clusters", "coverage")
    definition, points = load_task(task), []
    for point in (p for p in run if p.key in rows):
        compared = comparisons_now(store, point, definition, None)
        sides = {f"vs_{role}": _short(compared.get(role)) for role in ("first", "previous")}
        points.append({**{name: rows[point.key][name] for name in fields}, **sides})
    return points


def _short(entry: dict[str, Any] | None) -> dict[str, Any] | None:
    return entry and {k: entry[k] for k in ("b", "mean_diff", "ci_low", "ci_high", "p_value")}


def _provenance(point: Checkpoint) -> dict[str, Any]:
    return {
        "git_commit": git_commit(),
        "versions": package_versions(),
        "fingerprint": point.fingerprint,
        "model": point.model,
        "source": point.source,
    }
