"""Jobs: who wants which cells, kept in the store, so that no restart of anything loses one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from eval_assets.pipeline.ledger import CANCELLED, FAILED, WANTED, Wish, in_order, settle, wish_for
from eval_assets.pipeline.registering import is_same
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from resources.store.records import checkpoints, jobs, wanted
from resources.store.tables import one_of, quoted

_WHO = "job "


class UnknownJob(LookupError):
    """There is no job of that id."""


class NameTaken(ValueError):
    """Another model is registered under the checkpoint's key."""


class TooManyJobs(RuntimeError):
    """The client has as many open jobs as it may have."""


@dataclass(frozen=True)
class Job:
    """A set of wanted cells. id: hash of what was asked, by whom, and of what the checkpoint's files look like."""

    id: str
    client: str
    checkpoint: str
    tasks: tuple[str, ...]
    variant: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def who(self) -> str:
        """As the ledger names it."""
        return f"{_WHO}{self.id}"

    def wishes(self) -> list[Wish]:
        return [Wish(self.checkpoint, t, self.who, self.priority, variant=self.variant, at=self.at) for t in self.tasks]

    def record(self) -> dict[str, Any]:
        return {
            "job_id": self.id, "client": self.client, "checkpoint": self.checkpoint, "variant": self.variant,
            "tasks": json.dumps(self.tasks), "request": json.dumps(self.request), "priority": self.priority,
            "at": self.at,
        }  # fmt: skip

    @classmethod
    def from_record(cls, row: dict[str, Any]) -> Job:
        tasks, request = tuple(json.loads(row["tasks"])), json.loads(row["request"])
        return cls(row["job_id"], row["client"], row["checkpoint"], tasks, row["variant"], request, row["priority"],
                   row["at"])  # fmt: skip


@dataclass(frozen=True)
class Submission:
    """A job as it was asked for, its checkpoint, and the `s3://` path that is fetched for it ("": none)."""

    job: Job
    point: Checkpoint
    fetched: str = ""


def submit_all(store: Store, submissions: Sequence[Submission], most_open: int) -> list[bool | Exception]:
    """Put jobs into the store in one commit each of checkpoints, jobs and wishes; whether each is new, or why not.

    A job that is there already stays; what of it failed or was cancelled is wished for again. The job is written
    before its wishes: one that was cut short in between gets them when it is submitted again.
    """
    if not submissions:
        return []
    there = {row["job_id"]: Job.from_record(row) for row in
             jobs(store).rows(one_of("job_id", {s.job.id for s in submissions}))}  # fmt: skip
    points = {row["checkpoint"]: Checkpoint.from_record(row) for row in
              checkpoints(store).rows(one_of("checkpoint", {s.point.key for s in submissions}))}  # fmt: skip
    ids = open_job_ids(store)
    # Whose they are is only asked where somebody may have too many.
    open_jobs = open_jobs_by_client(store, ids) if len(ids) + len(submissions) > most_open else {}
    found: list[bool | Exception] = []
    new_points: dict[str, Checkpoint] = {}
    new_jobs: dict[str, Job] = {}
    for s in submissions:
        before = points.get(s.point.key)
        if before is not None and not is_same(before, s.point):
            found.append(NameTaken(f"checkpoint {s.point.key!r} is {before.model} {before.source} already, with other "
                                   "arguments or from elsewhere: name yours by `checkpoint`"))  # fmt: skip
        elif s.job.id in there or s.job.id in new_jobs:
            found.append(False)
        elif len(open_jobs.setdefault(s.job.client, set())) >= most_open:
            found.append(TooManyJobs(f"{s.job.client} has {most_open} open jobs: wait for some, or cancel them"))
        else:
            open_jobs[s.job.client].add(s.job.id)
            new_jobs[s.job.id] = s.job
            if before is None:
                new_points[s.point.key] = points[s.point.key] = s.point
            found.append(True)
    if new_jobs:
        store.ensure_writable()
    checkpoints(store).upsert([point.record() for point in new_points.values()])
    jobs(store).upsert([job.record() for job in new_jobs.values()])
    again = [there[s.job.id] for s, new in zip(submissions, found, strict=True) if new is False and s.job.id in there]
    wish_for(store, [*(w for job in new_jobs.values() for w in job.wishes()), *_again(store, again)])
    return found


def _again(store: Store, submitted: Sequence[Job]) -> list[Wish]:
    """Wishes of jobs that were submitted before and have come to nothing, as of now."""
    if not submitted:
        return []
    rows = wanted(store).rows(one_of("who", {job.who for job in submitted}))
    states = {(*w.cell, w.who): w.state for w in in_order(rows)}
    now = datetime.now(UTC)
    unique = {job.id: job for job in submitted}.values()
    return [
        Wish(w.checkpoint, w.task, w.who, w.priority, at=now, variant=w.variant)
        for job in unique for w in job.wishes()
        if states.get((*w.cell, w.who), FAILED) in (FAILED, CANCELLED)
    ]  # fmt: skip


def open_job_ids(store: Store) -> set[str]:
    """Ids of jobs with an open wish."""
    rows = wanted(store).rows(f"state = {quoted(WANTED)} AND who LIKE {quoted(_WHO + '%')}", ["who"])
    return {row["who"].removeprefix(_WHO) for row in rows}


def open_jobs_by_client(store: Store, ids: set[str]) -> dict[str, set[str]]:
    """These jobs by client."""
    found: dict[str, set[str]] = {}
    if ids:
        for row in jobs(store).rows(one_of("job_id", ids)):
            found.setdefault(row["client"], set()).add(row["job_id"])
    return found


def find_job(store: Store, job_id: str) -> Job:
    """Raises UnknownJob."""
    row = jobs(store).get(job_id=job_id)
    if row is None:
        raise UnknownJob(f"no job {job_id!r}: see GET /queue")
    return Job.from_record(row)


def all_jobs(store: Store) -> list[Job]:
    """Every job, the oldest first."""
    return sorted((Job.from_record(row) for row in jobs(store).rows()), key=lambda job: job.at)


def wishes_of(store: Store, job: Job) -> list[Wish]:
    """The job's cells as the ledger has them, in the order of its tasks."""
    found = {w.task: w for w in in_order(wanted(store).rows(f"who = {quoted(job.who)}"))}
    return [found[task] for task in job.tasks if task in found]


def cancel(store: Store, job: Job) -> list[Wish]:
    """No longer want what is still open of a job; those wishes."""
    open_wishes = [w for w in wishes_of(store, job) if w.state == WANTED]
    settle(store, open_wishes, CANCELLED)
    return open_wishes
