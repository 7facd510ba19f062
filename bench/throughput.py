"""A whole `model_outputs` cell, storage included, against a bare loop of the `openai` client.

    python bench/throughput.py [--pairs 4]

1000 questions on 250 JPEGs of about 72 KB, four a picture; a stub that answers after 50 ms; 32
requests in flight. The bare loop builds the data URL from the stored bytes for each question and
keeps nothing. Ours is `infer`: from the plan to durable, compacted rows. Each side runs in a
process of its own with its imports done before the clock starts; the two alternate, and the middle
one of their rates counts. Bounds: at least 0.9 of the bare loop's rate, and no more bytes sent.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from _common import (
    SHARED,
    cell_of,
    checkpoint,
    child,
    ingested,
    print_table,
    stub_server,
    verdict,
    workspace,
    write_task,
)

PICTURES, QUESTIONS, IN_FLIGHT, DELAY = 250, 4, 32, 0.05
BYTES = 72_000
TASK = "bench_pictures"


def make_pictures(folder: Path) -> list[str]:
    """JPEGs of about 72 KB, 640 x 480: crops of photographs, or noise where there are none."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    names = ("scikit_learn/china.jpg", "scikit_learn/flower.jpg", "scikit_image/rocket.jpg", "scikit_image/coffee.png")
    photographs = [Image.open(p).convert("RGB") for n in names if (p := SHARED / "media" / n).is_file()]
    qualities: dict[int, int] = {}
    made = []
    for number in range(PICTURES):
        if photographs:
            source = photographs[number % len(photographs)]
            left, top = (int(rng.integers(0, side // 4)) for side in source.size)
            crop = source.crop((left, top, left + 3 * source.width // 4, top + 3 * source.height // 4))
            picture = crop.resize((640, 480), Image.Resampling.LANCZOS)
        else:
            small = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
            picture = Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC)
        kind = number % max(len(photographs), 1)
        if kind not in qualities:
            qualities[kind] = min(range(50, 100), key=lambda q: abs(len(as_jpeg(picture, q)) - BYTES))
        name = f"{number}.jpg"
        (folder / name).write_bytes(as_jpeg(picture, qualities[kind]))
        made.append(name)
    return made


def as_jpeg(picture: Any, quality: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def bare(url: str, model: str, data: Path) -> float:
    """Seconds for all questions by an asyncio loop around the `openai` client."""
    import base64

    import openai.resources.chat.completions  # noqa: F401
    from openai import AsyncOpenAI, DefaultAioHttpClient

    rows = [json.loads(line) for line in (data / "test.jsonl").read_text().splitlines()]
    pictures = {row["image"]: (data / row["image"]).read_bytes() for row in rows}

    async def loop() -> list[str | None]:
        # The time limit and the parameters of the cell: they travel with each request.
        client = AsyncOpenAI(base_url=url, api_key="none", timeout=120.0, http_client=DefaultAioHttpClient())
        turn = asyncio.Semaphore(IN_FLIGHT)

        async def ask(row: dict[str, Any]) -> str | None:
            async with turn:
                encoded = base64.b64encode(pictures[row["image"]]).decode()
                medium = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{encoded}"}}
                content: Any = [medium, {"type": "text", "text": row["question"]}]
                reply = await client.chat.completions.create(
                    model=model, max_tokens=16, temperature=0.0, messages=[{"role": "user", "content": content}]
                )
                return reply.choices[0].message.content

        async with client:
            return await asyncio.gather(*(ask(row) for row in rows))

    started = time.perf_counter()
    answers = asyncio.run(loop())
    assert len(answers) == len(rows)
    return time.perf_counter() - started


def ours(key: str) -> float:
    """Seconds for all questions by a cell, from its plan to its last stored row."""
    import aiolimiter  # noqa: F401
    import duckdb  # noqa: F401
    import lance  # noqa: F401
    import numpy  # noqa: F401
    import openai.resources.chat.completions  # noqa: F401
    import tenacity  # noqa: F401

    from eval_assets.pipeline.infer import infer

    started = time.perf_counter()
    cell, store = cell_of(key, TASK)
    done = infer(cell, store, run_id="bench", log=lambda line: None)
    seconds = time.perf_counter() - started
    assert done.asked == done.rows == PICTURES * QUESTIONS, done
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--side", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        side, url, name, data = options.side
        print(json.dumps({"seconds": bare(url, name, Path(data)) if side == "bare" else ours(name)}))
        return
    sides: dict[str, list[tuple[float, int]]] = {"bare": [], "ours": []}
    with workspace() as folder, stub_server(folder, delay=DELAY) as stub:
        data = folder / "data" / TASK
        pictures = make_pictures(data)
        sizes = [(data / name).stat().st_size for name in pictures]
        rows = [
            {"id": f"{p}-{q}", "question": f"What is in part {q} of the picture?", "answer": "4", "image": name}
            for p, name in enumerate(pictures)
            for q in range(QUESTIONS)
        ]
        write_task(folder, TASK, rows, pictures=True)
        ingested(TASK)
        for pair in range(options.pairs):
            for side, runs in sides.items():
                name = f"stub{pair}"  # another model each time: nothing is stored of it
                if side == "ours":
                    checkpoint(name, "openai", name, base_url=stub.url, concurrency=IN_FLIGHT)
                stub.counts(reset=True)
                found = child(__file__, "--side", side, stub.url, name, data)
                seen = stub.counts()
                assert seen["requests"] == len(rows), seen
                runs.append((len(rows) / found["seconds"], seen["bytes"]))
    rates = {side: statistics.median(rate for rate, _ in runs) for side, runs in sides.items()}
    sent = {side: max(count for _, count in runs) for side, runs in sides.items()}
    print_table(
        f"{len(rows)} questions on {len(pictures)} JPEGs of {sum(sizes) / len(sizes) / 1000:.1f} KB, "
        f"{IN_FLIGHT} in flight, answers after {1000 * DELAY:.0f} ms",
        ("side", "items/s (middle)", "each run", "MB sent"),
        [
            (side, rates[side], " ".join(f"{rate:.0f}" for rate, _ in runs), f"{sent[side] / 1e6:.3f}")
            for side, runs in sides.items()
        ],
    )
    ratio = rates["ours"] / rates["bare"]
    verdict(
        {
            f"ours at least 0.9 of the bare loop's rate: {ratio:.2f}": ratio >= 0.9,
            f"no more bytes than the bare loop: {sent['ours'] / sent['bare']:.4f}": sent["ours"] <= sent["bare"],
        }
    )


if __name__ == "__main__":
    sys.exit(main())
