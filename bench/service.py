"""The service under load, under fire, and over much data.

    python bench/service.py

500 submissions from 50 clients while a cell runs; SIGKILL of service and daemon in the midst of a job; the items of a
cell of 100,000; a leaderboard of 200 checkpoints on 40 tasks. Real processes, real HTTP, a real daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from _common import EVALS, checkpoint, ingested, print_table, stub_server, verdict, wait_for, workspace, write_task

CLIENTS, EACH = 50, 10
ITEMS, CHECKPOINTS, TASKS = 100_000, 200, 40
PORT = 8765
URL = f"http://127.0.0.1:{PORT}"


class Process:
    """A process that may be killed and started again; it goes at the end."""

    def __init__(self, folder: Path, name: str, command: list[str]) -> None:
        self._log, self._command = folder / f"{name}.log", command
        self.start()

    def start(self) -> None:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[Process, Process]]:
    """The service and a daemon."""
    from eval_assets.instance import ensure_instance

    ensure_instance(folder / "dagster")
    service = Process(folder, "service", [*EVALS, "serve", "--port", str(PORT)])
    daemon = Process(
        folder, "daemon", [sys.executable, "-m", "dagster._daemon", "run", "-m", "eval_assets.definitions"]
    )
    try:
        wait_for(answers, 120, "the service did not start", every=0.2)
        yield service, daemon
    finally:
        service.kill()
        daemon.kill()


def answers() -> bool:
    with contextlib.suppress(OSError):
        urllib.request.urlopen(f"{URL}/queue", timeout=10).close()
        return True
    return False


def submissions() -> dict[str, bool]:
    """Each client submits jobs of its own one after another; the times are theirs."""
    from eval_service import AsyncEvalClient, EvalClient
    from resources.store import Store
    from resources.store.records import jobs, wanted

    with EvalClient(URL) as client:
        busy = client.evaluate(checkpoint="slow", tasks=["long"])["job_id"]
        wait_for(lambda: client.job(busy)["state"] == "running", 120, "the cell did not start", every=0.5)
    seconds: list[float] = []

    async def one(client: AsyncEvalClient, number: int) -> None:
        for turn in range(EACH):
            began = time.perf_counter()
            await client.evaluate(checkpoint="api", tasks=["short"], limit=number * EACH + turn + 1)
            seconds.append(time.perf_counter() - began)

    async def all_of_them() -> None:
        clients = [AsyncEvalClient(URL) for _ in range(CLIENTS)]  # made first: it blocks this process for a second
        await asyncio.gather(*(one(client, n) for n, client in enumerate(clients)))
        for client in clients:
            await client.__aexit__()

    asyncio.run(all_of_them())
    with EvalClient(URL) as client:
        still = client.job(busy)["state"]
        client.cancel(busy)
    stored = [row for row in jobs(Store()).rows() if row["tasks"] == '["short"]']
    wishes = [row for row in wanted(Store()).rows() if row["task"] == "short"]
    cuts = statistics.quantiles(seconds, n=100)
    print_table(
        f"{CLIENTS * EACH} submissions from {CLIENTS} clients while a cell runs ({still})", ["", "milliseconds"],
        [["median", 1e3 * statistics.median(seconds)], ["p95", 1e3 * cuts[94]], ["p99", 1e3 * cuts[98]],
         ["slowest", 1e3 * max(seconds)]],
    )  # fmt: skip
    return {
        "none lost or doubled": len(stored) == len(wishes) == len({w["variant"] for w in wishes}) == CLIENTS * EACH,
        f"p99 of a submission under 300 ms: {1e3 * cuts[98]:.0f}": cuts[98] < 0.3,
    }


def killed(service: Process, daemon: Process) -> dict[str, bool]:
    """Both are killed while the job's cell is being asked."""
    from eval_service import EvalClient

    with EvalClient(URL, patience=120) as client:
        job = client.evaluate(checkpoint="api", tasks=["medium"], priority=9)["job_id"]
        wait_for(lambda: (client.job(job)["cells"][0]["done"] or 0) > 20, 300, "the cell did not start", every=0.2)
        daemon.kill()
        service.kill()
        service.start()
        daemon.start()
        done = client.wait_for_job(job, timeout=900)
    n = (done["cells"][0]["metrics"] or {}).get("accuracy", {}).get("n")
    print(f"\nservice and daemon killed in the midst of a job: {done['state']}, {n} of 600 items scored")
    return {"the job finishes after both were killed": done["state"] == "completed" and n == 600}


def timed(path: str, turns: int = 5) -> float:
    """Seconds of a page, the middle of several, after one to warm up."""
    seconds = []
    for _ in range(turns + 1):
        began = time.perf_counter()
        with urllib.request.urlopen(URL + path, timeout=120) as reply:
            reply.read()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def much_data() -> None:
    """A recorded cell of 100,000 items through the real chain, and a summary table as so many reports write it."""
    import subprocess

    from resources.store import Store
    from resources.store.records import summary

    write_task(
        Path.cwd(), "large", ({"id": f"q{i}", "question": f"Question {i}?", "answer": "yes"} for i in range(ITEMS))
    )
    ingested("large")
    log = Path("large.jsonl")
    with log.open("w") as file:
        file.writelines(f'{{"id": "q{i}", "text": "{"yes" if i % 3 else "no"}"}}\n' for i in range(ITEMS))
    imported = [*EVALS, "import-answers", str(log), "--task", "large", "--name", "recorded", "--id-field", "id"]
    subprocess.run([*imported, "--response-field", "text"], check=True, capture_output=True)
    subprocess.run([*EVALS, "run", "--checkpoint", "recorded", "--tasks", "large"], check=True, capture_output=True)
    rows = [
        {
            "checkpoint": f"exp.{c}", "task": f"task{t}", "metric": "accuracy", "is_primary": True,
            "higher_is_better": True, "value": (c * 7 + t * 13) % 100 / 100, "se": 0.01, "ci_low": 0.1, "ci_high": 0.9,
            "n": 1000, "n_clusters": 100, "coverage": 1.0, "run": "exp", "step": c, "version": f"{c}-{t}",
            "at": datetime.now(UTC),
        }
        for c in range(CHECKPOINTS) for t in range(TASKS)
    ]  # fmt: skip
    summary(Store()).upsert(rows)


def pages() -> dict[str, bool]:
    shown: list[list[Any]] = [
        [name, 1e3 * timed(path)]
        for name, path in (
            ("first items", "/cells/recorded/large"),
            ("page 3000 of the items", "/cells/recorded/large?page=2999"),
            ("wrong ones, last page", "/cells/recorded/large?show=wrong&page=1333"),
            ("text in question or answer", "/cells/recorded/large?q=question+77777"),
            ("leaderboard", "/"),
            ("leaderboard by a task", "/?sort=task7&q=exp"),
        )
    ]
    print_table(
        f"Pages over {ITEMS:,} items, and {CHECKPOINTS} checkpoints on {TASKS} tasks", ["", "milliseconds"], shown
    )
    items, board = max(ms for _, ms in shown[:4]), max(ms for _, ms in shown[4:])
    return {f"items under 300 ms: {items:.0f}": items < 300, f"leaderboard under 1 s: {board:.0f} ms": board < 1000}


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what it has started goes with it
    with workspace() as folder, stub_server(folder, delay=0.05) as quick, stub_server(folder, delay=2) as slow:
        for name, count in (("short", 1000), ("medium", 600), ("long", 5000)):
            write_task(
                folder, name, [{"id": str(i), "question": f"{name} {i}?", "answer": "yes"} for i in range(count)]
            )
            ingested(name)
        checkpoint("api", "openai", "stub", base_url=quick.url, concurrency=4)
        checkpoint("slow", "openai", "stub", base_url=slow.url, concurrency=4)
        (folder / "evals.yaml").write_text("service: {open_jobs: 2000, requests_per_minute: 100000}\n")
        os.environ["EVAL_CONFIG"] = str(folder / "evals.yaml")
        with running(folder) as (service, daemon):
            bounds = {**killed(service, daemon), **submissions()}
            daemon.kill()  # its five hundred runs are not what is measured next
            much_data()
            bounds |= pages()
    verdict(bounds)


if __name__ == "__main__":
    main()
