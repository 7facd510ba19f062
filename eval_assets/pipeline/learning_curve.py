"""The learning curve of a training run: whether there is anything to do, and what is written."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.curve_numbers import LEVEL, SEED, curve_of_task
from eval_assets.pipeline.files import clean, write_json
from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.report import stats_digest
from eval_assets.pipeline.run_scores import points_of_run
from eval_assets.settings import Settings
from eval_assets.versions import digest, git_commit, package_versions
from resources.models.checkpoint import Checkpoint
from resources.store import Store, slug
from resources.store.records import cells, checkpoints
from resources.store.tables import one_of
from task_defs import TaskError, load_task

if TYPE_CHECKING:
    import pyarrow as pa

# Bump when the same reports make another curve.
CURVE_VERSION = 1
_STAGE = "learning_curve"
_POINT = ("checkpoint", "step", "value", "se", "ci_low", "ci_high", "n", "n_clusters", "coverage")
_AGAINST = ("mean_diff", "se", "ci_low", "ci_high", "p_value", "p_adjusted", "survives", "n", "n_clusters")


@dataclass
class Curve:
    """data: what the page shows; page, json, parquet: where it lies."""

    data: dict[str, Any]
    version: str
    page: str
    json: str
    parquet: str


def write_learning_curve(store: Store, run: str, settings: Settings, run_id: str = "") -> Curve:
    """The run's page, JSON and Parquet; at once where they are there and nothing has changed.

    Raises UnknownRun, and NotScored where no checkpoint of the run has a report.
    """
    from eval_assets.reporting.curve import curve_page

    if stored := stored_curve(store, run, settings):
        return stored
    parts = _parts_of(store, points_of_run(store, run), settings)  # before the rest: what changes meanwhile outdates it
    key, name = _key(parts), curve_name(run)
    data = clean({**curve_data(store, run, settings), "version": key})
    page = store.write_file(curve_page(data).encode(), "reports", f"{name}.html")
    table = store.write_file(_parquet(data), "reports", f"{name}.parquet")
    curve = Curve(data, key, page, write_json(store, data, name), table)
    made = {"checkpoint": run, "task": "", "variant": "", "stage": _STAGE, "key": key, "version": key}
    details = json.dumps(parts, sort_keys=True)
    cells(store).upsert([{**made, "n_rows": 0, "details": details, "run_id": run_id, "at": datetime.now(UTC)}])
    return curve


def stored_curve(store: Store, run: str, settings: Settings) -> Curve | None:
    """The curve as it was written, where it is made from what is stored now. Raises UnknownRun.

    Its record is a claim: the files are looked for.
    """
    key = curve_version(store, run, settings)
    record = cells(store).get(checkpoint=run, task="", variant="", stage=_STAGE)
    if record is None or record["key"] != key:
        return None
    names = [f"{curve_name(run)}.{kind}" for kind in ("html", "json", "parquet")]
    page, text, table = (store.read_file("reports", name) for name in names)
    data = json.loads(text) if page and text and table else {}
    return Curve(data, key, *(store.file("reports", name) for name in names)) if data.get("version") == key else None


def curve_version(store: Store, run: str, settings: Settings) -> str:
    """Of the curve as it would be made now. Raises UnknownRun."""
    return _key(_parts_of(store, points_of_run(store, run), settings))


def curve_name(run: str) -> str:
    return f"{slug(run)}.curve"


def curve_data(store: Store, run: str, settings: Settings) -> dict[str, Any]:
    """Every task on which a checkpoint of the run has a report, as JSON-able data."""
    points = points_of_run(store, run)
    tasks, absent = {}, {}
    for name in _tasks(_reports(store, points)):
        try:
            tasks[name] = curve_of_task(store, load_task(name), points, settings.baseline_of(name))
        except (NotScored, TaskError) as error:  # one task that is gone must not take the others along
            absent[name] = str(error)
    if not tasks:
        why = "; ".join(absent.values()) or "run `evals run` for one of them"
        raise NotScored(f"no checkpoint of run {run} has a report yet: {why}")
    return {
        "run": run,
        "checkpoints": [{"checkpoint": p.key, "step": p.step} for p in points],
        "level": LEVEL,
        "seed": SEED,
        "tasks": tasks,
        "absent": absent,
        "provenance": {"git_commit": git_commit(), "versions": package_versions()},
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@dataclass(frozen=True, slots=True)
class Outdated:
    """A curve that is to be made: from what, and which checkpoints have changed since it was made last."""

    inputs: str
    changed: frozenset[str]


def outdated_curves(store: Store, settings: Settings) -> dict[str, Outdated]:
    """Run -> what its curve lacks, in one read of checkpoints and cells. One checkpoint alone makes no curve."""
    runs: dict[str, list[Checkpoint]] = {}
    for row in checkpoints(store).rows("run IS NOT NULL AND step IS NOT NULL"):
        runs.setdefault(row["run"], []).append(Checkpoint.from_record(row))
    if not runs:
        return {}
    rows = cells(store).rows(f"variant = '' AND {one_of('stage', ('report', _STAGE))}")
    before = {row["checkpoint"]: json.loads(row["details"]) for row in rows if row["stage"] == _STAGE}
    reports = _by_checkpoint(row for row in rows if row["stage"] == "report")
    found = {}
    for run, points in runs.items():
        parts = _parts(reports, points, settings)
        now, then = parts["checkpoints"], before.get(run, {"checkpoints": {}, "baselines": parts["baselines"]})
        changed = {key for key in {*now, *then["checkpoints"]} if now.get(key) != then["checkpoints"].get(key)}
        if parts["baselines"] != then["baselines"]:
            changed = {*now}
        if len(now) > 1 and changed:
            found[run] = Outdated(_key(parts), frozenset(changed))
    return found


Reports = dict[str, dict[str, str]]  # checkpoint -> task -> version of its report


def _by_checkpoint(rows: Iterable[dict[str, Any]]) -> Reports:
    found: Reports = {}
    for row in rows:
        found.setdefault(row["checkpoint"], {})[row["task"]] = row["version"]
    return found


def _reports(store: Store, points: Iterable[Checkpoint], others: Iterable[str] = ()) -> Reports:
    keys = [*(p.key for p in points), *others]
    return _by_checkpoint(cells(store).rows(f"stage = 'report' AND variant = '' AND {one_of('checkpoint', keys)}"))


def _tasks(reports: Reports) -> list[str]:
    return sorted({task for versions in reports.values() for task in versions})


def _parts_of(store: Store, points: list[Checkpoint], settings: Settings) -> dict[str, dict[str, Any]]:
    tasks = _tasks(_reports(store, points))
    baselines = {name for task in tasks if (name := settings.baseline_of(task))}
    return _parts(_reports(store, points, baselines), points, settings)


def _parts(reports: Reports, points: list[Checkpoint], settings: Settings) -> dict[str, dict[str, Any]]:
    """What a curve is made from: the versions of its checkpoints' reports and of the baselines', by name."""
    own = {p.key: reports[p.key] for p in points if p.key in reports}
    baselines = {}
    for task in _tasks(own):
        if name := settings.baseline_of(task):
            baselines[task] = [name, reports.get(name, {}).get(task)]
    return {"checkpoints": {key: digest(versions) for key, versions in own.items()}, "baselines": baselines}


def _key(parts: dict[str, dict[str, Any]]) -> str:
    return digest([CURVE_VERSION, LEVEL, SEED, stats_digest(), parts])


def curve_table(data: dict[str, Any]) -> pa.Table:
    """One row a task and step; columns `vs_reference_...` and `vs_previous_...` are null where there is none."""
    import pyarrow as pa

    rows = []
    for curve in data["tasks"].values():
        best = curve["best"] or {}
        candidates = best.get("candidates")
        for point in curve["points"]:
            row = {"run": data["run"], "task": curve["task"], "metric": curve["metric"]}
            row |= {"higher_is_better": curve["higher_is_better"], **{name: point[name] for name in _POINT}}
            for side in ("vs_reference", "vs_previous"):
                entry = point[side] or {}
                row |= {f"{side}": entry.get("b"), **{f"{side}_{name}": entry.get(name) for name in _AGAINST}}
            entry = point["vs_reference"] or {}
            row |= {"band_low": entry.get("band_low"), "band_high": entry.get("band_high")}
            if candidates is not None:
                row["is_best"] = point["checkpoint"] == best["best"]
                row["could_be_best"] = point["checkpoint"] in candidates
            rows.append(row)
    return pa.Table.from_pylist(rows, schema=_schema())


def _schema() -> pa.Schema:
    import pyarrow as pa

    text, number, whole, flag = pa.string(), pa.float64(), pa.int64(), pa.bool_()
    kinds = {"checkpoint": text, "step": whole, "n": whole, "n_clusters": whole, "survives": flag}
    fields = [("run", text), ("task", text), ("metric", text), ("higher_is_better", flag)]
    fields += [(name, kinds.get(name, number)) for name in _POINT]
    for side in ("vs_reference", "vs_previous"):
        fields += [(side, text), *((f"{side}_{name}", kinds.get(name, number)) for name in _AGAINST)]
    return pa.schema([*fields, ("band_low", number), ("band_high", number), ("is_best", flag), ("could_be_best", flag)])


def _parquet(data: dict[str, Any]) -> bytes:
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(curve_table(data), file)
    return file.getvalue()
