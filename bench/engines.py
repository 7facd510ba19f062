"""A real vLLM on this machine: one start for a suite, prefix-cache hits, and what our side costs.

    make engines && python bench/engines.py [--python .venv-vllm/bin/python] [--part suite|prefix|throughput]

suite: three tasks on three checkpoints, wanted at once, run by a Dagster daemon. Bounds: three engine
    starts for nine cells; under one second in all in which an engine was up, a cell had asked for it,
    and no request was under way.
prefix: four questions on each of 60 pictures of 576 tokens; a cache that holds eight such pictures. The
    cell as it is asked, against the same requests in random order, on one server whose caches are
    emptied in between. Ideal: each picture's whole blocks are computed once. Bound: at least 95 % of it.
throughput: four questions on each of 240 pictures, against a bare loop of the `openai` client that
    sends the same questions in the same order, on one server, in turns. Bound: at least 0.95 of its rate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from _common import cell_of, ingested, print_table, verdict, wait_for, workspace, write_task
from _tiny import IMAGE_TOKENS, SIDE, default_python, make_checkpoint, write_models

PICTURES = {"prefix": 60, "throughput": 240}
QUESTIONS, BLOCK, IN_FLIGHT = 4, 32, 16


def pictures(folder: Path, count: int) -> list[str]:
    """Square PNGs of noise: vLLM sees their hashes, nobody sees them."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    names = [f"{n}.png" for n in range(count)]
    for name in names:
        small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / name)
    return names


def task(folder: Path, name: str, count: int) -> None:
    """Four questions a picture, in an order that keeps no picture's questions together."""
    names = pictures(folder / "data" / name, count)
    rows = [
        {"id": f"{q}-{n}", "question": f"what is in part {q} of the picture", "answer": "4", "image": n}
        for q in range(QUESTIONS)
        for n in names
    ]
    write_task(folder, name, rows, pictures=True)
    ingested(name)


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "engines" / "cpu" / "events.jsonl").read_text().splitlines()]


def suite(folder: Path) -> dict[str, bool]:
    from eval_assets.instance import ensure_instance
    from eval_assets.partitions import register_partitions
    from eval_assets.pipeline.ledger import Wish, wish_for, wishes
    from eval_assets.pipeline.registering import from_directory, register
    from resources.store import Store

    tasks, points = ["one", "two", "three"], []
    for name in tasks:
        task(folder, name, 15)
    for seed in range(3):
        source = make_checkpoint(folder / "run" / f"step-{seed}", seed)
        points.append(register(Store(), from_directory(source, model="vllm")).key)
    ensure_instance(folder / "dagster")
    config = folder / "dagster" / "dagster.yaml"
    config.write_text(re.sub(r"max_concurrent_runs: \d+", "max_concurrent_runs: 6", config.read_text()))
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        register_partitions(instance, points, tasks)
    wish_for(Store(), [Wish(point, name, "bench") for point in points for name in tasks])
    started = time.monotonic()
    with (folder / "daemon.log").open("w") as log:
        command = [sys.executable, "-m", "dagster._daemon", "run", "-m", "eval_assets.definitions"]
        daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(lambda: not wishes(Store()), 600, f"the cells did not end: {folder / 'daemon.log'}", every=1)
        finally:
            os.killpg(daemon.pid, signal.SIGTERM)
            daemon.wait()
    seconds = time.monotonic() - started
    idle = _stopped()
    events = history(folder)
    cells = [e for e in events if e["event"] == "granted"]
    starts = [e["checkpoint"] for e in events if e["event"] == "starts"]
    print_table(
        f"Three tasks of {15 * QUESTIONS} questions on three checkpoints: {seconds:.0f} s from wish to report",
        ("", ""),
        [
            ("cells answered", len(cells)),
            ("engine starts", f"{len(starts)} ({', '.join(starts)})"),
            ("seconds of each start", " ".join(f"{e['seconds']:.1f}" for e in events if e["event"] == "ready")),
            ("idle seconds while cells were there", idle),
        ],
    )
    return {
        "three starts for nine cells": len(starts) == 3 and len(cells) == 9,
        f"idle under a second: {idle:.3f}": idle < 1,
    }


def _stopped() -> float:
    """End the engine; the idle seconds that its host counted."""
    from resources.engines.lease import ask, stop_host
    from resources.engines.slots import Slot

    idle = float((ask(Slot().folder, "status") or {}).get("idle_seconds", "nan"))
    stop_host(Slot().folder)
    return idle


# --- one server, asked in several ways -----------------------------------------------------------


def counters(url: str) -> dict[str, float]:
    from resources.engines.metrics import read

    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as reply:
        return read(reply.read().decode())


def forget(url: str) -> None:
    for cache in ("prefix", "mm", "encoder"):
        request = urllib.request.Request(f"{url}/reset_{cache}_cache", method="POST")
        with urllib.request.urlopen(request, timeout=30) as reply:
            assert reply.status == 200


def hits(url: str, work: Any) -> tuple[float, float, float]:
    """(prefix tokens hit, media hit rate, seconds) of what `work` asks of an engine with empty caches."""
    forget(url)
    before, started = counters(url), time.perf_counter()
    work()
    seconds, after = time.perf_counter() - started, counters(url)
    did = {name: after[name] - before.get(name, 0) for name in after}
    return did["prefix_hits"], did["media_hits"] / did["media_queries"], seconds


def bare(url: str, folder: Path, name: str, order: list[int]) -> None:
    import base64

    from openai import AsyncOpenAI, DefaultAioHttpClient

    data = folder / "data" / name
    rows = [json.loads(line) for line in (data / "test.jsonl").read_text().splitlines()]

    async def loop() -> None:
        turn = asyncio.Semaphore(IN_FLIGHT)
        client = AsyncOpenAI(base_url=f"{url}/v1", api_key="none", timeout=600.0, http_client=DefaultAioHttpClient())

        async def ask(row: dict[str, Any]) -> None:
            async with turn:
                encoded = base64.b64encode((data / row["image"]).read_bytes()).decode()
                medium = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}
                content: Any = [medium, {"type": "text", "text": row["question"]}]
                await client.chat.completions.create(
                    model="served", max_tokens=16, temperature=0.0, messages=[{"role": "user", "content": content}]
                )

        async with client:
            await asyncio.gather(*(ask(rows[n]) for n in order))

    asyncio.run(loop())


def ours(name: str, repeats: int) -> None:
    """The cell, its rows thrown away before, so that all is asked."""
    import shutil

    from eval_assets.pipeline.infer import infer

    cell, store = cell_of("probe", name)
    shutil.rmtree(cell.outputs(store).uri, ignore_errors=True)
    done = infer(cell, store, run_id=str(repeats), log=lambda line: None)
    assert done.asked == done.rows == cell.n_items, done


def one_server(folder: Path, python: str, part: str) -> dict[str, bool]:
    from _common import checkpoint

    from resources.engines.lease import ask
    from resources.engines.slots import Slot

    # Room for eight pictures: a cache that holds all of them would make every order ideal.
    blocks = 8 * (IMAGE_TOKENS // BLOCK + 2)
    small = ["--num-gpu-blocks-override", str(blocks)] if part == "prefix" else []
    write_models(
        folder / "models.yaml", python, tuning_args=small, concurrency=IN_FLIGHT,
        env={"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_SERVER_DEV_MODE": "1"},
    )  # fmt: skip
    task(folder, "probe", PICTURES[part])
    checkpoint("probe", "vllm", str(make_checkpoint(folder / "probe", 0)))
    ours("probe", 0)
    url = str((ask(Slot().folder, "status") or {})["url"])
    count = PICTURES[part]
    ordered = [q * count + p for p in range(count) for q in range(QUESTIONS)]
    try:
        return _prefix(url, folder, ordered) if part == "prefix" else _throughput(url, folder, ordered)
    finally:
        _stopped()


def _prefix(url: str, folder: Path, ordered: list[int]) -> dict[str, bool]:
    count = len(ordered) // QUESTIONS
    ideal = (QUESTIONS - 1) * count * (IMAGE_TOKENS // BLOCK) * BLOCK
    shuffled = random.Random(0).sample(ordered, len(ordered))
    found = {
        "the cell": hits(url, lambda: ours("probe", 1)),
        "a bare loop, in random order": hits(url, lambda: bare(url, folder, "probe", shuffled)),
        "a bare loop, in the order of the data": hits(
            url, lambda: bare(url, folder, "probe", list(range(len(ordered))))
        ),
    }
    print_table(
        f"{QUESTIONS} questions on each of {count} pictures of {IMAGE_TOKENS} tokens, {IN_FLIGHT} at once, room for 8",
        ("", "prefix tokens hit", "of the ideal", "media cache hits", "seconds"),
        [(side, int(tokens), tokens / ideal, media, s) for side, (tokens, media, s) in found.items()],
    )
    share = found["the cell"][0] / ideal
    return {f"at least 95 % of the ideal prefix hits: {100 * share:.1f} %": share >= 0.95}


def _throughput(url: str, folder: Path, ordered: list[int]) -> dict[str, bool]:
    sides: dict[str, list[float]] = {"bare": [], "ours": []}
    for turn in range(4):
        sides["bare"].append(hits(url, lambda: bare(url, folder, "probe", ordered))[2])
        sides["ours"].append(hits(url, lambda t=turn: ours("probe", 2 + t))[2])
    rates = {side: len(ordered) / statistics.median(seconds) for side, seconds in sides.items()}
    print_table(
        f"{len(ordered)} questions on a warm server, in turns",
        ("", "questions/s (middle)", "each run"),
        [(side, rates[side], " ".join(f"{len(ordered) / s:.1f}" for s in sides[side])) for side in sides],
    )
    ratio = rates["ours"] / rates["bare"]
    return {f"at least 0.95 of the bare loop's rate: {ratio:.3f}": ratio >= 0.95}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=default_python())
    parser.add_argument("--part", choices=["suite", "prefix", "throughput"], action="append")
    options = parser.parse_args()
    bounds: dict[str, bool] = {}
    for part in options.part or ["suite", "prefix", "throughput"]:
        with workspace() as folder:
            os.environ["EVAL_ENGINES"], os.environ["EVAL_MODELS"] = str(folder / "engines"), str(folder / "models.yaml")
            write_models(folder / "models.yaml", options.python)
            bounds |= suite(folder) if part == "suite" else one_server(folder, options.python, part)
    verdict(bounds)


if __name__ == "__main__":
    main()
