"""The second run of a complete cell: no request, and under a second beyond process start.

    python bench/second_run.py

1000 questions, an endpoint that answers at once. Each `evals run` is a process of its own; what it
costs to start Python and import the same code is measured beside it and taken off.
"""

from __future__ import annotations

import statistics
import subprocess
import time

from _common import EVALS, ingested, print_table, stub_server, verdict, workspace, write_task

TASK, RUNS = "bench_text", 5
_IMPORTS = "import eval_assets.cli.app as app; app.prepare_environment()"


def timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    with workspace() as folder, stub_server(folder) as stub:
        rows = [{"id": str(i), "question": f"Question {i}?", "answer": "yes"} for i in range(1000)]
        write_task(folder, TASK, rows)
        ingested(TASK)
        args = f"model=stub,base_url={stub.url}"
        run = [*EVALS, "run", "--checkpoint", "api", "--tasks", TASK, "--model", "openai", "--model-args", args]
        first = timed(run)
        asked = stub.counts(reset=True)["requests"]
        again = statistics.median(timed(run) for _ in range(RUNS))
        start = statistics.median(timed([EVALS[0], "-c", _IMPORTS]) for _ in range(RUNS))
        asked_again = stub.counts()["requests"]
    print_table(
        f"A complete cell of 1000 questions, run again (middle of {RUNS})",
        ["", "seconds", "requests"],
        [
            ["first run", first, asked],
            ["second run", again, asked_again // RUNS],
            ["process start and imports alone", start, "-"],
            ["second run beyond its start", again - start, "-"],
        ],
    )
    verdict(
        {"no request in the second run": asked_again == 0, "under a second beyond process start": again - start < 1}
    )


if __name__ == "__main__":
    main()
