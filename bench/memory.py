"""Peak memory of each stage of a cell, for 1000 and for 100 000 text items.

    python bench/memory.py [--small 1000] [--large 100000] [--model openai|recorded]

Each stage runs in a process of its own, with Dagster and our definitions imported as in a real run,
and says its peak resident memory (VmHWM). `openai` asks a stub that answers at once; `recorded` reads
stored answers instead. "the cell" is outputs, scores and report in one process. Bound: with a hundred
times the items, no stage's peak is more than 1.1 times as high. The comparison with another cell is
measured too; it holds two cells' scores at once and is not bounded.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _common import cell_of, checkpoint, child, print_table, stub_server, verdict, workspace, write_task

CELL = "the cell in one process"
STAGES = (
    "benchmark_dataset", "checkpoint", "model_outputs", "judge_scores", "statistical_report", CELL, "comparison",
)  # fmt: skip
UNBOUNDED = {"comparison"}
QUESTION = "A train leaves at {0} and arrives {1} minutes later. How many minutes does it travel? Say the number {1}"


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Questions of about 100 characters; half of the labels are those that the stub answers."""
    for number in range(count):
        minutes = number % 1440
        answer = str(minutes if number % 2 else minutes + 1)
        yield {"id": f"item-{number}", "question": QUESTION.format(number, minutes), "answer": answer}


def peak() -> float:
    """Peak resident memory of this process in MiB; VmHWM, since ru_maxrss begins with the parent's."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def stage(name: str, key: str, task: str) -> dict[str, Any]:
    """Run one stage and measure it."""
    started = time.perf_counter()
    count = _run(name, key, task)
    return {"mib": peak(), "seconds": time.perf_counter() - started, "count": count}


def _run(name: str, key: str, task: str) -> int:
    import eval_assets.definitions  # noqa: F401
    from eval_assets.pipeline.comparisons import compare_with_others
    from eval_assets.pipeline.infer import infer
    from eval_assets.pipeline.ingest import ingest
    from eval_assets.pipeline.registering import identify_checkpoint
    from eval_assets.pipeline.report import report_cell
    from eval_assets.pipeline.scoring import judge_cell
    from resources.store import Store
    from task_defs import load_task

    if name == "benchmark_dataset":
        return ingest(load_task(task), Store()).items
    if name == "checkpoint":
        return identify_checkpoint(Store(), key).bytes or 0
    cell, store = cell_of(key, task)
    if name == "comparison":
        return len(compare_with_others(cell, store, "first", run_id="bench").entries)
    steps = {"model_outputs": [infer], "judge_scores": [judge_cell], "statistical_report": [report_cell]}
    for step in steps.get(name, [infer, judge_cell, report_cell]):
        step(cell, store, run_id="bench", log=lambda line: None)  # type: ignore[operator]
    return int(cell.outputs(store).count())


def measure(count: int, model: str, url: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Stage -> its numbers. The cell in one process is of a second model, and compared with the first."""
    task = f"bench_{count}"
    write_task(folder, task, rows(count))
    found = {"benchmark_dataset": child(__file__, "--stage", "benchmark_dataset", "-", task)}
    for key in ("first", "second"):
        if model == "recorded":
            record(key, task, count)
        else:
            checkpoint(key, "openai", key, base_url=url)
    for name in STAGES[1:]:
        found[name] = child(__file__, "--stage", name, "second" if name in (CELL, "comparison") else "first", task)
        if name in ("model_outputs", CELL):
            assert found[name]["count"] == count, found[name]
        if name == "checkpoint" and model == "recorded":
            child(__file__, "--stage", name, "second", task)
    return found


def record(key: str, task: str, count: int) -> None:
    from resources.models.checkpoint import Checkpoint
    from resources.models.recorded import store_answers
    from resources.store import Store
    from resources.store.records import checkpoints

    store = Store()
    uri = store.table("recorded", f"{key}-{task}")
    store_answers(uri, task, ((f"item-{n}", 0, str(n % 1440 + (n == 0 and key == "second"))) for n in range(count)))
    checkpoints(store).upsert([Checkpoint(key, "recorded", uri).record()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--model", choices=("openai", "recorded"), default="openai")
    parser.add_argument("--stage", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(stage(*options.stage)))
        return
    found = {}
    for count in (options.small, options.large):
        with workspace() as folder, stub_server(folder, echo=True) as stub:
            found[count] = measure(count, options.model, stub.url, folder)
    small, large = found[options.small], found[options.large]
    ratios = {name: large[name]["mib"] / small[name]["mib"] for name in STAGES}
    print_table(
        f"Peak resident memory, model {options.model}",
        ("stage", f"MiB, {options.small} items", f"MiB, {options.large} items", "ratio", "seconds", "seconds"),
        [
            (n, small[n]["mib"], large[n]["mib"], f"{ratios[n]:.3f}", small[n]["seconds"], large[n]["seconds"])
            for n in STAGES
        ],
    )
    bounded = {name: ratio for name, ratio in ratios.items() if name not in UNBOUNDED}
    verdict({f"{name}: at most 1.1 times the peak: {ratio:.3f}": ratio <= 1.1 for name, ratio in bounded.items()})


if __name__ == "__main__":
    main()
