"""SIGKILL of a cell at 30 % and at 99 %: what the next run asks again, and whether a row is lost or doubled.

    python bench/kill9.py

1000 questions, 32 in flight, a stub that answers after 50 ms. `evals run` is a process of its own and
is killed with its whole group when the stub has answered that share. Bound: the next run asks at most
what was in flight or was answered in the last second before the kill; every item has exactly one row.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from _common import EVALS, Stub, ingested, print_table, stub_server, verdict, wait_for, workspace, write_task

ITEMS, IN_FLIGHT, DELAY = 1000, 32, 0.05


def killed(folder: Path, share: float) -> dict[str, Any]:
    """Run, kill, run again; the counts."""
    from eval_assets import results

    task = f"bench_kill_{round(100 * share)}"
    write_task(folder, task, [{"id": str(i), "question": f"{task} {i}?", "answer": "4"} for i in range(ITEMS)])
    ingested(task)
    with stub_server(folder, delay=DELAY) as stub:
        args = f"model=stub,base_url={stub.url},concurrency={IN_FLIGHT}"
        run = [*EVALS, "run", "--checkpoint", f"m{round(100 * share)}", "--tasks", task, "--model", "openai"]
        run += ["--model-args", args]
        before = _killed_at(stub, run, round(ITEMS * share))
        started = time.perf_counter()
        subprocess.run(run, check=True, capture_output=True)
        seconds = time.perf_counter() - started
        again = stub.counts()["requests"]
    rows = results.outputs(f"m{round(100 * share)}", task)
    items = set(rows["item_id"].to_pylist())
    allowed = ITEMS - before["answered"] + IN_FLIGHT + before["in_the_last_second"]
    return {
        "answered": before["answered"], "asked": before["requests"], "last second": before["in_the_last_second"],
        "again": again, "repeated": before["requests"] + again - ITEMS, "allowed": allowed,
        "whole": len(rows) == len(items) == ITEMS, "seconds": seconds,
    }  # fmt: skip


def _killed_at(stub: Stub, run: list[str], count: int) -> dict[str, int]:
    """What the stub had seen at the kill. Counts start anew afterwards."""
    process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: stub.counts()["answered"] >= count, 120, "the run never got so far", every=0.002)
    os.killpg(process.pid, signal.SIGKILL)
    seen = stub.counts()
    process.wait()
    time.sleep(2 * DELAY)  # requests that were on their way when it died
    stub.counts(reset=True)
    return seen


def main() -> None:
    with workspace() as folder:
        found = {share: killed(folder, share) for share in (0.3, 0.99)}
    names = ("asked", "answered", "last second", "again", "repeated")
    print_table(
        f"SIGKILL of a cell of {ITEMS} questions, {IN_FLIGHT} in flight",
        ["killed at", "asked", "answered", "of these in the last second", "asked by the next run", "asked twice"],
        [[f"{share:.0%}", *(f[name] for name in names)] for share, f in found.items()],
    )
    bounds = {}
    for share, f in found.items():
        bounds[f"{share:.0%}: no more again than lacked, was in flight or came in the last second"] = (
            f["again"] <= f["allowed"]
        )
        bounds[f"{share:.0%}: every item has exactly one row"] = f["whole"]
    verdict(bounds)


if __name__ == "__main__":
    main()
