"""What the benchmarks share: a temporary home, tasks made on the spot, the stub, real processes, tables."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
if str(ROOT) not in sys.path:  # run as a script from a checkout that is not installed
    sys.path.insert(0, str(ROOT))

EVALS = [sys.executable, "-c", "from eval_assets.cli import main; main()"]


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A temporary folder that EVAL_HOME, DAGSTER_HOME, EVAL_DATA and EVAL_TASK_PATH lie in; it goes at the end."""
    with tempfile.TemporaryDirectory(prefix="evals-bench-") as name:
        folder = Path(name)
        places = {"EVAL_HOME": "home", "DAGSTER_HOME": "dagster", "EVAL_DATA": "data", "EVAL_TASK_PATH": "tasks"}
        for variable, below in places.items():
            (folder / below).mkdir()
            os.environ[variable] = str(folder / below)
        os.environ.pop("EVAL_CONFIG", None)
        os.environ["LANCE_LOG"] = "error"
        os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        os.chdir(folder)  # no evals.yaml of the place it was started from
        yield folder


def write_task(folder: Path, name: str, rows: Iterable[Mapping[str, Any]], *, pictures: bool = False) -> None:
    """A task of that name over these rows: id, question, answer, and image where there are pictures.

    Its prompt ends with the row's question; its judge is `exact`.
    """
    data = folder / "data" / name
    data.mkdir(parents=True, exist_ok=True)
    with (data / "test.jsonl").open("w") as lines:
        for row in rows:
            lines.write(json.dumps(row) + "\n")
    definition = {
        "task": name,
        "data_files": {"test": "test.jsonl"},
        "doc_to_id": "id",
        "doc_to_text": "{{ question }}",
        "doc_to_target": "answer",
        "generation_kwargs": {"max_tokens": 16, "temperature": 0},
        "judge": "exact",
        **({"doc_to_visual": "image"} if pictures else {}),
    }
    # JSON is YAML.
    (folder / "tasks" / f"{name}.yaml").write_text(
        "\n".join(f"{key}: {json.dumps(value)}" for key, value in definition.items()) + "\n"
    )


# --- the stub ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stub:
    """A running stub. url: what `base_url` takes."""

    address: str

    @property
    def url(self) -> str:
        return f"{self.address}/v1"

    def counts(self, *, reset: bool = False) -> dict[str, int]:
        request = urllib.request.Request(f"{self.address}/counts", method="POST" if reset else "GET")
        with urllib.request.urlopen(request, timeout=30) as reply:
            return dict(json.load(reply))


@contextlib.contextmanager
def stub_server(folder: Path, *, delay: float = 0.0, echo: bool = False) -> Iterator[Stub]:
    """`_stub.py` in a process of its own."""
    port_file = folder / f"port-{time.monotonic_ns()}"
    command = [sys.executable, str(ROOT / "bench" / "_stub.py"), str(port_file), "--delay", str(delay)]
    process = subprocess.Popen([*command, *(["--echo"] if echo else [])])
    try:
        wait_for(port_file.exists, 30, "the stub did not start")
        yield Stub(f"http://127.0.0.1:{port_file.read_text()}")
    finally:
        process.terminate()
        process.wait()


def wait_for(condition: Any, seconds: float, complaint: str, every: float = 0.01) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError(complaint)
        time.sleep(every)


# --- our side -----------------------------------------------------------------------------------


def ingested(name: str) -> Any:
    """The task, its items in the store."""
    from eval_assets.pipeline.ingest import ingest
    from resources.store import Store
    from task_defs import load_task

    task = load_task(name)
    done = ingest(task, Store())
    assert not done.quarantined, done
    assert not done.missing_media, done
    return task


def checkpoint(key: str, model: str, source: str, **args: Any) -> None:
    """Register a checkpoint and take its fingerprint."""
    from eval_assets.pipeline.registering import identify_checkpoint, register
    from resources.models.checkpoint import Checkpoint
    from resources.store import Store

    register(Store(), Checkpoint(key, model, source, args))
    identify_checkpoint(Store(), key)


def cell_of(key: str, task: str) -> tuple[Any, Any]:
    """(cell, store) as a run has them."""
    from eval_assets.pipeline.cell import find_checkpoint, plan_cell
    from resources.store import Store
    from task_defs import load_task

    store = Store()
    return plan_cell(store, find_checkpoint(store, key), load_task(task)), store


def child(script: str | Path, *args: Any) -> dict[str, Any]:
    """The JSON that a script prints as its last line when run in a process of its own."""
    done = subprocess.run([sys.executable, str(script), *map(str, args)], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{Path(script).name} {args} failed:\n{done.stderr[-4000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


# --- saying it ----------------------------------------------------------------------------------


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns as wide as they need to be; numbers to the right."""
    lines = [[str(c) for c in header], *([_said(c) for c in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    print(f"\n{title}")
    for line in lines:
        first, *others = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        print("  " + "  ".join([first, *others]))


def _said(value: Any) -> str:
    return (
        f"{value:.3f}"
        if isinstance(value, float) and abs(value) < 10
        else (f"{value:.1f}" if isinstance(value, float) else str(value))
    )


def verdict(bounds: Mapping[str, bool]) -> None:
    """Say which bounds hold and end the process: 0 if all of them do, else 1."""
    print()
    for bound, holds in bounds.items():
        print(f"  {'holds ' if holds else 'MISSED'}  {bound}")
    sys.exit(0 if all(bounds.values()) else 1)
