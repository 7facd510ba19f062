"""What a cell costs beside its work: a real `dagster asset materialize` process against the functions alone.

    python bench/cell_cost.py

A recorded checkpoint on 100 questions, so that the work is nearly nothing. The work is a process that
calls the cell's functions without Dagster, start and imports of its own included; what `dagster asset
materialize` takes longer is the cost. Against the functions in a warm process it is more, and that is
printed too, by its parts: each is a process that does one thing more than the one before. For scale:
the same run with Dagster's default executor, which starts a process for every step, and Dagster with
nothing to do, and the cell with its comparison, as jobs run it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _common import ROOT, cell_of, ingested, print_table, verdict, workspace, write_task

TASK, RUNS, ITEMS = "bench_small", 5, 100
_CELL = "model_outputs,judge_scores,statistical_report"
_COMPARED = f"{_CELL},comparison"


def record(folder: Path, name: str) -> None:
    """A recorded checkpoint, known to the store and to Dagster."""
    import dagster as dg

    from eval_assets.partitions import register_partitions
    from eval_assets.pipeline.importing import import_answers
    from eval_assets.pipeline.registering import identify_checkpoint
    from resources.store import Store
    from task_defs import load_task

    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps({"id": str(i), "text": f"{name} {i}"}) + "\n" for i in range(ITEMS)))
    import_answers(Store(), file, load_task(TASK), name, id_field="id", response_field="text")
    identify_checkpoint(Store(), name)
    with dg.DagsterInstance.get() as instance:
        register_partitions(instance, [name], [TASK])


def by_dagster(name: str, module: str, select: str = _CELL) -> float:
    command = [
        sys.executable, "-m", "dagster", "asset", "materialize", "-m", module, "--select", select,
        "--partition", f"{name}|{TASK}",
    ]  # fmt: skip
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return time.perf_counter() - started


def by_functions(name: str, *, compared: bool = False) -> float:
    from eval_assets.pipeline.comparisons import compare_with_others
    from eval_assets.pipeline.infer import infer
    from eval_assets.pipeline.report import report_cell
    from eval_assets.pipeline.scoring import judge_cell

    started = time.perf_counter()
    cell, store = cell_of(name, TASK)
    for step in (infer, judge_cell, report_cell):
        step(cell, store, run_id="bench", log=lambda line: None)
    if compared:
        compare_with_others(cell, store, None, run_id="bench")
    return time.perf_counter() - started


def by_process(name: str, *how: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, __file__, name, *how], check=True, capture_output=True)
    return time.perf_counter() - started


_EMPTY = """
import dagster as dg
from eval_assets.partitions import cells_def

def empty(name, deps):
    @dg.asset(name=name, partitions_def=cells_def, deps=deps)
    def made() -> None: ...

    @dg.asset_check(name=f"check_{name}", asset=made)
    def checked() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    return made, checked

made = [empty(name, deps) for name, deps in [("a", []), ("b", ["a"]), ("c", ["b"]), ("d", ["b"])]]
defs = dg.Definitions(
    assets=[a for a, _ in made], asset_checks=[c for _, c in made], executor=dg.in_process_executor
)
"""
_SPAWNING = """
import dagster as dg
import eval_assets.definitions as location

ours = [location.defs]
defs = dg.Definitions(
    assets=ours[0].assets, asset_checks=ours[0].asset_checks, resources=ours[0].resources,
    executor=dg.multiprocess_executor,
)
"""
# Each does one thing more than the one before; the last stage of ours is the cell's own functions, cold.
_STARTS = {
    "python": "pass",
    "dagster imported": "import dagster",
    "our definitions imported": "import dagster, eval_assets.definitions",
    "what the functions import when they run": "import dagster, eval_assets.definitions, lance, duckdb, tenacity",
}


def starts() -> dict[str, float]:
    """Seconds of each process of _STARTS, middle of RUNS, interleaved."""
    seen: dict[str, list[float]] = {what: [] for what in _STARTS}
    for _ in range(RUNS):
        for what, code in _STARTS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
            seen[what].append(time.perf_counter() - started)
    return {what: statistics.median(times) for what, times in seen.items()}


def main() -> None:
    from eval_assets.instance import ensure_instance

    with workspace() as folder:
        ensure_instance(folder / "dagster")
        write_task(folder, TASK, [{"id": str(i), "question": f"Q{i}?", "answer": "yes"} for i in range(ITEMS)])
        ingested(TASK)
        (folder / "spawning.py").write_text(_SPAWNING)
        (folder / "empty.py").write_text(_EMPTY)
        os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])
        names = [f"model{i}" for i in range(5 * RUNS + 2)]
        for name in names:
            record(folder, name)
        by_functions(names.pop())  # warm
        warm = statistics.median(by_functions(names.pop()) for _ in range(RUNS))
        begun = starts()
        ours = "eval_assets.definitions"
        turns = [
            (
                by_process(names.pop()), by_dagster(names.pop(), ours),
                by_process(names.pop(), "compared"), by_dagster(names.pop(), ours, _COMPARED),
            )
            for _ in range(RUNS)
        ]  # fmt: skip
        work, whole, compared_work, compared = (statistics.median(side) for side in zip(*turns, strict=True))
        empty = statistics.median(by_dagster("model0", "empty", "*") for _ in range(RUNS))
        spawned = by_dagster(names.pop(), "spawning")
    parts = [(what, now - before) for (what, now), before in zip(begun.items(), [0, *begun.values()], strict=False)]
    rows = [
        ("the functions in a process of their own, without Dagster (the work)", work),
        ("dagster asset materialize", whole),
        ("its cost beyond the work", whole - work),
        ("the functions in a warm process", warm),
        ("dagster asset materialize beyond those", whole - warm),
        *((f"  of that: {what}", seconds) for what, seconds in parts),
        ("  of that: the rest (Dagster's plan, its events in SQLite)", whole - warm - list(begun.values())[-1]),
        ("four empty assets and four empty checks, for scale", empty),
        ("the cell with a process a step (Dagster's default)", spawned),
        ("with the comparison: the work", compared_work),
        ("with the comparison: dagster asset materialize", compared),
        ("with the comparison: its cost beyond the work", compared - compared_work),
    ]
    print_table(f"One cell of {ITEMS} recorded answers: {_CELL} (middle of {RUNS})", ["", "seconds"], rows)
    verdict({"at most 2 s beyond the work": whole - work <= 2})


if __name__ == "__main__":
    if len(sys.argv) > 1:
        by_functions(sys.argv[1], compared=len(sys.argv) > 2)
    else:
        main()
