"""Everything about one checkpoint, put together from what its cells wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eval_assets.gates import Against, cell_decisions
from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.pipeline.comparing import holm
from eval_assets.pipeline.comparisons import comparisons_now
from eval_assets.pipeline.episode_films import shown_films
from eval_assets.pipeline.files import clean, report_name, write_json
from eval_assets.pipeline.macro import macro_average, macro_difference
from eval_assets.pipeline.metrics import marked
from eval_assets.pipeline.registering import run_of
from eval_assets.reporting.words import quote
from eval_assets.settings import Settings
from eval_assets.versions import digest, git_commit, package_versions
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from resources.store.records import cells, summary
from resources.store.tables import one_of, quoted
from task_defs import load_task

_STAGE = "checkpoint_report"
_MADE_FROM = ("report", "comparison")
ROLES = ("baseline", "previous", "first")


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
    told = [data[name] for name in ("comparisons", "history", "macro", "gates")]
    version = digest([[r["version"] for r in data["tasks"].values()], *told])
    shown = clean(data)
    page = store.write_file(checkpoint_page(shown).encode(), "reports", f"{report_name(key)}.html")
    written = Written(shown, version, page, write_json(store, shown, report_name(key)))
    made = {"checkpoint": key, "task": "", "variant": "", "stage": _STAGE, "key": inputs, "version": version}
    cells(store).upsert([{**made, "n_rows": 0, "details": "{}", "run_id": run_id, "at": datetime.now(UTC)}])
    return written


def checkpoint_data(store: Store, key: str, settings: Settings) -> dict[str, Any]:
    """Reports, Holm-corrected comparisons, macro averages, gates and the run's history, as JSON-able data."""
    point = find_checkpoint(store, key)
    suite = settings.suite(point.suite) if point.suite else ()
    measured = [r["task"] for r in summary(store).rows(f"checkpoint = {quoted(key)} AND is_primary")]
    names = [*suite, *sorted(set(measured) - set(suite))]
    reports = {name: store.read_json("reports", name, f"{report_name(key)}.json") for name in names}
    found = {name: report for name, report in reports.items() if report}
    if not found:
        raise LookupError(f"checkpoint {key!r} has no report yet: run a cell of it first")
    run = [p for p in run_of(store, point) if (p.step or 0) <= (point.step or 0)]
    definitions = {name: load_task(name) for name in found}
    compared = {name: comparisons_now(store, point, t, settings.baseline_of(name)) for name, t in definitions.items()}
    families = _families(suite, compared)
    averaged = [definitions[name] for name in families[0]]
    roles = _roles(compared, settings)
    return {
        "checkpoint": key,
        "run": point.run,
        "step": point.step,
        "suite": point.suite,
        **roles,
        "tasks": found,
        "missing": [name for name in suite if name not in found],
        "comparisons": {role: _corrected(families, compared, role) for role in ROLES},
        "absent": {name: dict(against.absent) for name, against in compared.items() if against.absent},
        "macro": {
            "score": macro_average(store, key, averaged),
            **{
                role: macro_difference(store, key, other, averaged)
                for role, other in roles.items()
                if other and other != key
            },
        },
        "gates": {
            name: cell_decisions(report, compared[name], settings.gate_of(name, point.suite))
            for name, report in found.items()
        },
        "history": {name: _history(store, name, run) for name in found},
        "films": {name: shown_films(store, key, name) for name, report in found.items() if "episodes" in report},
        "provenance": _provenance(point, found.values()),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _families(suite: Sequence[str], compared: Mapping[str, Against]) -> list[list[str]]:
    """The suite's tasks, and those that were run besides: Holm's correction is of the one or the other."""
    inside = [name for name in compared if name in suite] or list(compared)
    return [inside, [name for name in compared if name not in inside]]


def _corrected(families: list[list[str]], compared: Mapping[str, Against], role: str) -> list[dict[str, Any]]:
    """The primary metric on each task against one other checkpoint; quotes with the corrected p."""
    entries = []
    for names in families:
        found = [compared[name].entries[role] for name in names if role in compared[name].entries]
        entries += holm([{**e, "p_value": float("nan") if e["p_value"] is None else e["p_value"]} for e in found])
    return [{**e, "quote": quote(e)} for e in entries]


def _roles(compared: Mapping[str, Against], settings: Settings) -> dict[str, str | None]:
    """Role -> the checkpoint that takes it on most tasks; a baseline that nothing was compared with is named too."""
    taken = {role: Counter(a.entries[role]["b"] for a in compared.values() if role in a.entries) for role in ROLES}
    named = Counter(name for name in map(settings.baseline_of, compared) if name)
    taken["baseline"] = taken["baseline"] or named
    return {role: next((key for key, _ in count.most_common(1)), None) for role, count in taken.items()}


def _history(store: Store, task: str, run: list[Checkpoint]) -> list[dict[str, Any]]:
    """The run's scores on a task in order of step, each with its paired differences."""
    where = f"task = {quoted(task)} AND is_primary AND {one_of('checkpoint', [p.key for p in run])}"
    rows = {r["checkpoint"]: r for r in summary(store).rows(where)}
    fields = ("checkpoint", "step", "metric", "value", "se", "ci_low", "ci_high", "n", "n_clusters", "coverage")
    definition, points = load_task(task), []
    for point in (p for p in run if p.key in rows):
        compared = comparisons_now(store, point, definition, None).entries
        sides = {f"vs_{role}": _short(compared.get(role)) for role in ("first", "previous")}
        points.append({**marked(task, {name: rows[point.key][name] for name in fields}), **sides})
    return points


def _short(entry: dict[str, Any] | None) -> dict[str, Any] | None:
    return entry and {k: entry[k] for k in ("b", "mean_diff", "ci_low", "ci_high", "p_value")}


def _provenance(point: Checkpoint, reports: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What it was made with: this project's packages, and those of the worlds that were played in."""
    played = [report["player"]["packages"] for report in reports if "player" in report]
    return {
        "git_commit": git_commit(),
        "versions": package_versions() | {name: version for one in played for name, version in one.items()},
        "fingerprint": point.fingerprint,
        "model": point.model,
        "source": point.source,
    }
