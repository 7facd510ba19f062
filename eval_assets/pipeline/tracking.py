"""What the trackers have been told, and what they are still to be told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.pipeline.files import report_name
from eval_assets.trackers import Point, TrackerFailed, TrackerSettings, point_of, push
from eval_assets.versions import digest
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from resources.store.records import cells, checkpoints
from resources.store.tables import one_of, quoted

_STAGE = "tracked"


class NotReported(LookupError):
    """The checkpoint has no report; the message says how to make it."""


class PushFailed(RuntimeError):
    """Some trackers did not take the scores; what others took is remembered."""


@dataclass(frozen=True)
class Pushed:
    """What one tracker was told: how many values of how many checkpoints. place: where they can be seen."""

    tracker: str
    series: str
    checkpoints: int
    values: int
    place: str


def push_checkpoints(
    store: Store,
    keys: Sequence[str],
    trackers: Sequence[TrackerSettings],
    *,
    configured: Sequence[TrackerSettings] | None = None,
    again: bool = False,
    run_id: str = "",
    log: Callable[[str], None],
) -> list[Pushed]:
    """Tell the trackers what is new in these checkpoints' reports; with `again`, everything.

    Only values that differ from what this tracker was told before are pushed.
    configured: all trackers there are, where `trackers` are only some: the others are still to be told.
    Raises NotReported, and PushFailed after every tracker had its turn.
    """
    ids = [tracker_id(t) for t in (trackers if configured is None else configured)]
    reports = [(key, *_report(store, key)) for key in keys]
    ordered = sorted(reports, key=lambda r: (r[2].step is None, r[2].series, r[2].step or 0))
    done: list[Pushed] = []
    failures: list[str] = []
    for (_, series), group in groupby(ordered, key=lambda r: (r[2].step is None, r[2].series)):
        members = [(version, point) for _, version, point in group]
        for tracker in trackers:
            # Two writers of one tracker's run at the same time would each make one, or overwrite the other.
            with store.lock(f"tracked {tracker_id(tracker)} {series}"):
                try:
                    found = _push(store, tracker, members, ids, again, run_id)
                except TrackerFailed as error:
                    failures.append(str(error))
                    continue
            done.append(found)
            log(f"{found.tracker}: {found.values} values of {series}: {found.place}")
    if failures:
        raise PushFailed("; ".join(dict.fromkeys(failures)))
    return done


def outstanding_pushes(store: Store, trackers: Sequence[TrackerSettings]) -> dict[str, str]:
    """Checkpoint -> version of what the trackers are still to be told of it, in one read of the cells."""
    if not trackers:
        return {}
    rows = cells(store).rows(f"variant = '' AND task = '' AND {one_of('stage', (_STAGE, 'checkpoint_report'))}")
    told = {row["checkpoint"]: row["key"] for row in rows if row["stage"] == _STAGE}
    ids = [tracker_id(t) for t in trackers]
    due = {row["checkpoint"]: _key(row["version"], ids) for row in rows if row["stage"] == "checkpoint_report"}
    return {checkpoint: key for checkpoint, key in due.items() if told.get(checkpoint) != key}


def tracked_version(store: Store, key: str, trackers: Sequence[TrackerSettings]) -> str:
    """Of what the trackers are told of a checkpoint: its report and their configuration. Raises NotReported."""
    return _key(_report(store, key)[0], [tracker_id(t) for t in trackers])


def tracker_id(tracker: TrackerSettings) -> str:
    return f"{tracker.kind} {digest(tracker.model_dump())[:12]}"


def _key(report: str, ids: Sequence[str]) -> str:
    return digest([report, sorted(set(ids))])


def _report(store: Store, key: str) -> tuple[str, Point]:
    """Version of a checkpoint's report, and the point that it makes."""
    name = report_name(key)
    data = store.read_json("reports", f"{name}.json")
    row = cells(store).get(checkpoint=key, task="", variant="", stage="checkpoint_report")
    if data is None or row is None:
        raise NotReported(f"checkpoint {key!r} has no report yet: `evals run --checkpoint {key} --tasks ...` makes it")
    return row["version"], point_of(data, str(store.file("reports", f"{name}.html")))


def reported(store: Store, target: str) -> list[str]:
    """A checkpoint's key, or the keys of a run's checkpoints that have a report, in order of step.

    Raises UnknownCheckpoint, and NotReported for a run without any report.
    """
    points = [Checkpoint.from_record(row) for row in checkpoints(store).rows()]
    run = sorted((p for p in points if p.run == target), key=lambda p: (p.step is None, p.step or 0))
    if not run or target in {p.key for p in points}:
        return [find_checkpoint(store, target).key]
    where = f"stage = 'checkpoint_report' AND {one_of('checkpoint', [p.key for p in run])}"
    there = {row["checkpoint"] for row in cells(store).rows(where)}
    if not there:
        raise NotReported(f"no checkpoint of run {target!r} has a report yet: evaluate one first")
    return [p.key for p in run if p.key in there]


def _push(
    store: Store,
    tracker: TrackerSettings,
    members: Sequence[tuple[str, Point]],
    ids: Sequence[str],
    again: bool,
    run_id: str,
) -> Pushed:
    """Tell one tracker of the points of one series, and remember it. ids: of all configured trackers."""
    me = tracker_id(tracker)
    told = _told(store, [point.checkpoint for _, point in members])
    news, place = [], "nothing new"
    for _, point in members:
        before = told.get(point.checkpoint, {}).get(me, {})
        place = before.get("place", place)
        before = {} if again else before
        changed = {k for k, v in point.values.items() if before.get("values", {}).get(k) != v}
        if changed or before.get("facts") != dict(point.facts):
            news.append(point.only(changed))
    if news:
        place = push(tracker, news)
    records = []
    for version, point in members:
        details = told.get(point.checkpoint, {})
        details[me] = {"report": version, "values": dict(point.values), "facts": dict(point.facts), "place": place}
        complete = [i for i in ids if details.get(i, {}).get("report") == version]
        records.append(_record(point, version, _key(version, complete), details, run_id))
    cells(store).upsert(records)
    return Pushed(tracker.kind, members[0][1].series, len(news), sum(len(p.values) for p in news), place)


def _told(store: Store, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Checkpoint -> tracker -> what it was told."""
    rows = cells(store).rows(f"stage = {quoted(_STAGE)} AND {one_of('checkpoint', keys)}")
    return {row["checkpoint"]: json.loads(row["details"]) for row in rows}


def _record(point: Point, version: str, key: str, details: dict[str, Any], run_id: str) -> dict[str, Any]:
    return {
        "checkpoint": point.checkpoint,
        "task": "",
        "variant": "",
        "stage": _STAGE,
        "key": key,
        "version": version,
        "n_rows": len(point.values),
        "details": json.dumps(details, sort_keys=True),
        "run_id": run_id,
        "at": datetime.now(UTC),
    }
