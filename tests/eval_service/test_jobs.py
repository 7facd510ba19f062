"""Jobs from their submission to their end, over real HTTP, with real runs."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time

import dagster as dg
import httpx
import pytest

from eval_assets.definitions import defs
from eval_assets.pipeline.ledger import Wish, wish_for, wishes
from eval_service import AsyncEvalClient, EvalServiceError, JobTimeout
from resources.store.records import jobs


def test_a_job_is_queued_run_and_answered_with_intervals(served):
    client = served.client()
    job = client.evaluate(checkpoint="good", tasks=["colours"])
    assert (job["state"], job["queue_position"]) == ("queued", 0)
    assert [c["state"] for c in job["cells"]] == ["waiting"]
    assert served.drain() == ["checkpoint_job:good", "cell_job:good|colours", "checkpoint_report_job:good"]
    done = client.wait_for_job(job["job_id"], timeout=5)
    (cell,) = done["cells"]
    assert done["state"] == "completed"
    assert done["queue_position"] is None
    accuracy = cell["metrics"][cell["primary"]]
    assert accuracy["value"] == 0.75
    assert accuracy["ci_low"] < 0.75 < accuracy["ci_high"]
    assert client.results("good", "colours")["metrics"]["accuracy"]["n"] == 40


def test_the_same_request_is_the_same_job_and_a_restart_loses_nothing(served):
    first = served.client().evaluate(checkpoint="good", tasks=["colours"])
    served.restart()
    client = served.client()
    again = served.http("POST", "/evaluate", json={"checkpoint": "good", "tasks": ["colours"]})
    assert (again.status_code, again.json()["job_id"]) == (200, first["job_id"])
    assert len(wishes(served.project.store)) == 1
    served.drain()
    assert client.job(first["job_id"])["state"] == "completed"
    assert client.evaluate(checkpoint="good", tasks=["colours"])["state"] == "completed"
    assert client.evaluate(checkpoint="fair", tasks=["colours"])["job_id"] != first["job_id"]
    queue = client.queue()
    assert [[j["checkpoint"] for j in queue[state]] for state in ("pending", "running", "completed")] == [
        ["fair"], [], ["good"],
    ]  # fmt: skip


def test_many_clients_at_once_lose_and_double_nothing(served):
    """Fifty at a time, each request twice."""

    async def submit() -> list[dict]:
        async with AsyncEvalClient(served.url, patience=10) as client:
            return await asyncio.gather(
                *(client.evaluate(checkpoint="good", tasks=["colours"], limit=n % 25 + 1) for n in range(50))
            )

    answers = asyncio.run(submit())
    assert len({a["job_id"] for a in answers}) == 25
    assert sorted(w.variant for w in wishes(served.project.store)) == sorted(
        {f'{{"limit": {n}}}' for n in range(1, 26)}
    )
    assert len(jobs(served.project.store).rows()) == 25


def test_a_variant_is_evaluated_as_one(served):
    job = served.client().evaluate(checkpoint="good", tasks=["colours"], limit=8, gen_kwargs={"max_new_tokens": 3})
    assert job["variant"] == "max_tokens=3,limit=8"
    served.drain()
    (cell,) = served.client().job(job["job_id"])["cells"]
    assert (cell["state"], cell["metrics"]["accuracy"]["n"]) == ("done", 8)


def test_a_job_of_which_all_cells_fail_says_why_and_can_be_submitted_again(served):
    recorded = served.project.path / "home" / "recorded"
    shutil.move(recorded, served.project.path / "away")
    client = served.client()
    job = client.evaluate(checkpoint="good", tasks=["colours"])
    served.drain()
    failed = client.job(job["job_id"])
    assert failed["state"] == "failed"
    assert "failed 3 times" in failed["cells"][0]["reason"]
    shutil.move(served.project.path / "away", recorded)
    assert client.evaluate(checkpoint="good", tasks=["colours"])["state"] == "queued"
    served.drain()
    assert client.job(job["job_id"])["state"] == "completed"


def test_cancelling_stops_what_runs_and_leaves_what_others_want(served):
    client, store, instance = served.client(), served.project.store, served.project.instance
    wish_for(store, [Wish("fair", "colours", "watch /runs")])
    jobs_ = [client.evaluate(checkpoint=name, tasks=["colours"]) for name in ("good", "fair")]
    runs = {}
    for name in ("good", "fair"):
        runs[name] = instance.create_run_for_job(
            defs.resolve_job_def("cell_job"), tags={"eval/target": f"cell:{name}|colours"},
            status=dg.DagsterRunStatus.STARTED,
        ).run_id  # fmt: skip
    assert client.job(jobs_[0]["job_id"])["state"] == "running"
    for job in jobs_:
        assert client.cancel(job["job_id"])["state"] == "cancelled"
    assert [w.who for w in wishes(store)] == ["watch /runs"]
    assert instance.get_run_by_id(runs["good"]).status == dg.DagsterRunStatus.CANCELED
    assert instance.get_run_by_id(runs["fair"]).status == dg.DagsterRunStatus.STARTED
    assert client.evaluate(checkpoint="good", tasks=["colours"])["cells"][0]["state"] == "waiting"


def test_a_run_that_was_asked_for_while_its_job_was_cancelled_is_stopped_by_the_sensor(served):
    from eval_assets.sensors import drain_wanted
    from tests.assets.test_sensors import tick

    client, instance = served.client(), served.project.instance
    job = client.evaluate(checkpoint="good", tasks=["colours"])
    client.cancel(job["job_id"])
    late = instance.create_run_for_job(
        defs.resolve_job_def("cell_job"), status=dg.DagsterRunStatus.STARTED,
        tags={"eval/target": "cell:good|colours", "eval/wanted_by": f"job {job['job_id']}"},
    )  # fmt: skip
    assert tick(served.project, drain_wanted) == []
    assert instance.get_run_by_id(late.run_id).status == dg.DagsterRunStatus.CANCELED


def test_events_follow_a_job_to_its_end(served):
    client = served.client()
    job = client.evaluate(checkpoint="good", tasks=["colours"])
    seen: list[str] = []
    follower = threading.Thread(target=lambda: seen.extend(j["state"] for j in client.events(job["job_id"])))
    follower.start()
    while not seen:
        time.sleep(0.05)
    served.drain()
    follower.join(20)
    assert seen[0] == "queued"
    assert seen[-1] == "completed"


def test_waiting_has_a_limit(served):
    job = served.client().evaluate(checkpoint="good", tasks=["colours"])
    with pytest.raises(JobTimeout, match="it goes on"):
        served.client().wait_for_job(job["job_id"], timeout=0.2, poll=0.1)


def test_the_async_client_waits_and_follows(served):
    async def run() -> tuple[str, list[str]]:
        async with AsyncEvalClient(served.url) as client:
            job = await client.evaluate(checkpoint="good", tasks=["colours"])
            await asyncio.to_thread(served.drain)
            done = await client.wait_for_job(job["job_id"], timeout=10)
            return done["state"], [j["state"] async for j in client.events(job["job_id"])]

    assert asyncio.run(run()) == ("completed", ["completed"])


def test_higher_priorities_go_first(served):
    client = served.client()
    low = client.evaluate(checkpoint="fair", tasks=["colours"])
    client.evaluate(checkpoint="good", tasks=["colours"], priority=5)
    assert client.job(low["job_id"])["queue_position"] == 1


def test_a_client_that_lost_the_connection_does_not_submit_twice(served, monkeypatch):
    """The answer to the first request is lost on the way; the client asks again."""
    sent = []

    class Lossy(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            sent.append(request)
            response = super().handle_request(request)
            if len(sent) == 1:
                raise httpx.ReadError("connection reset", request=request)
            return response

    served.client(transport=Lossy()).evaluate(checkpoint="good", tasks=["colours"])
    assert len(sent) == 2
    assert len(jobs(served.project.store).rows()) == 1


def test_compare_and_lists(served):
    client = served.client()
    for name in ("good", "fair"):
        client.evaluate(checkpoint=name, tasks=["colours"])
    served.drain(20)
    (entry,) = client.compare("good", "fair", margin=0.02)
    assert entry["mean_diff"] == 0.25
    assert {"task": "colours", "items": 40, "suites": []} in client.tasks()
    assert {"good", "fair"} <= set(client.models()["checkpoints"])
    with pytest.raises(EvalServiceError, match="no checkpoint 'god'"):
        client.compare("god", "fair")


def test_a_task_that_was_just_added_is_known_at_once(served):
    client = served.client()
    client.evaluate(checkpoint="good", tasks=["colours"])  # the names of tasks have been looked at
    text = (served.project.path / "tasks" / "colours.yaml").read_text()
    (served.project.path / "tasks" / "shades.yaml").write_text(text.replace("task: colours", "task: shades"))
    assert client.evaluate(checkpoint="good", tasks=["shades"])["tasks"] == ["shades"]
