"""The demo: a model trains, writes a checkpoint every few seconds, and each is evaluated as it comes.

    make demo

One process trains into `.demo/run/`; a Dagster daemon watches that directory, hashes each whole
checkpoint, runs its cells and writes its report; `evals serve` shows pages meanwhile. This script only starts
them and shows what the store says, then ends with the learning curve. State is in EVAL_HOME and DAGSTER_HOME: `make ui`
shows the same in Dagster.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
sys.path.insert(0, str(PROJECT))
RUN = "digits"
_CONFIG = """\
# Written by the demo; an `evals.yaml` of your own looks the same.
watch:
  - path: {directory}
    suite: demo
    run: {run}
    pattern: "step-*"
    interval: 5
suites:
  demo: [digits]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=90, help="of training")
    parser.add_argument("--every", type=float, default=15, help="seconds between checkpoints")
    parser.add_argument("--patience", type=float, default=240, help="seconds to wait after training")
    args = parser.parse_args()
    folder = PROJECT / ".demo"
    environment = prepare(folder)
    with Children(environment, folder) as children:
        children.start("daemon", "-m", "dagster._daemon", "run", "-w", "workspace.yaml")
        port = free_port()
        children.start("service", "-c", "from eval_assets.cli import main; main()", "serve", "--port", str(port))
        trainer = children.start(
            "training", str(HERE / "train.py"), str(folder / RUN),
            "--seconds", str(args.seconds), "--every", str(args.every),
        )  # fmt: skip
        print(f"pages: http://127.0.0.1:{port}")
        complete = follow(folder / RUN, trainer, children, args.seconds + args.patience)
    finish(complete)


def prepare(folder: Path) -> dict[str, str]:
    """A fresh training directory and configuration; earlier results of the demo's run are forgotten."""
    from eval_assets.cli.app import prepare_environment
    from resources.store import Store
    from resources.store.records import cells, checkpoints, summary, wanted

    shutil.rmtree(folder, ignore_errors=True)
    (folder / RUN).mkdir(parents=True)
    (folder / "evals.yaml").write_text(_CONFIG.format(directory=folder / RUN, run=RUN))
    os.environ |= {"EVAL_CONFIG": str(folder / "evals.yaml"), "OMP_NUM_THREADS": "1"}
    prepare_environment()
    store = Store()
    for table in (checkpoints(store), cells(store), summary(store), wanted(store)):
        table.delete(f"checkpoint LIKE '{RUN}.%'")
    return dict(os.environ)


class Children:
    """Processes in groups of their own that end with the demo, however it ends."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{name}.log").open("wb")
        child = subprocess.Popen(
            [sys.executable, *command], cwd=PROJECT, env=self._environment, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        self._started[name] = child
        return child

    def check(self) -> None:
        """Raise where a process has failed, with the end of its log."""
        for name, child in self._started.items():
            if child.poll():
                tail = (self._folder / f"{name}.log").read_text(errors="replace")[-2000:]
                raise SystemExit(f"the {name} ended with code {child.returncode}:\n{tail}")

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._started.values():
            for wait, number in ((10, signal.SIGINT), (5, signal.SIGKILL)):
                if child.poll() is None:
                    os.killpg(child.pid, number)
                    try:
                        child.wait(wait)
                    except subprocess.TimeoutExpired:
                        continue


def free_port(preferred: int = 8000) -> int:
    """The usual port, or another one where it is taken."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise SystemExit("no port is free")


def follow(directory: Path, trainer: subprocess.Popen[bytes], children: Children, seconds: float) -> bool:
    """Print what happens until every written checkpoint has its report; False when time is up."""
    shown: set[str] = set()
    deadline, started = time.monotonic() + seconds, time.monotonic()

    def say(key: str, line: str) -> None:
        if key not in shown:
            shown.add(key)
            print(f"{time.monotonic() - started:6.1f} s  {line}", flush=True)

    say("start", "training starts; a daemon watches " + str(directory))
    while time.monotonic() < deadline:
        children.check()
        written = [p.name for p in sorted(directory.glob("step-*"))]
        reported = state(say)
        for name in written:
            say(f"written {name}", f"{name} is written")
        if trainer.poll() == 0:
            say("trained", f"training is done, {len(written)} checkpoints")
            if len(reported) >= len(written) > 0:
                return True
        time.sleep(1)
    return False


def state(say: Any) -> set[str]:
    """Say what the store knows that was not said yet; the checkpoints that have their report."""
    from eval_assets.pipeline.checkpoint_report import outdated_reports
    from resources.store import Store
    from resources.store.records import checkpoints, summary, wanted

    store = Store()
    for row in checkpoints(store).rows(f"run = '{RUN}'"):
        if row["fingerprint"]:
            say(f"hash {row['checkpoint']}", f"{row['checkpoint']} hashed: {row['fingerprint'][:12]}")
    scored = summary(store).rows(f"run = '{RUN}' AND is_primary")
    for row in sorted(scored, key=lambda r: r["step"]):
        interval = f"[{100 * row['ci_low']:.1f}, {100 * row['ci_high']:.1f}]"
        score = f"{100 * row['value']:.1f} % {interval}"
        say(f"score {row['checkpoint']}", f"{row['checkpoint']} on {row['task']}: {score}")
    for row in wanted(store).rows("state = 'failed'"):
        say(f"failed {row['checkpoint']}", f"{row['checkpoint']} failed: {row['reason']}")
    return {row["checkpoint"] for row in scored} - set(outdated_reports(store))


def finish(complete: bool) -> None:
    """The learning curve in the terminal, and where the page is."""
    from rich.console import Console

    from eval_assets.pipeline.checkpoint_report import checkpoint_data
    from eval_assets.pipeline.files import clean, report_name
    from eval_assets.reporting import curve_table
    from eval_assets.settings import load_settings
    from resources.store import Store
    from resources.store.records import summary

    store = Store()
    scored = sorted(summary(store).rows(f"run = '{RUN}' AND is_primary"), key=lambda r: r["step"])
    if not scored:
        raise SystemExit("no checkpoint was evaluated: see .demo/daemon.log")
    last = scored[-1]["checkpoint"]
    data = clean(checkpoint_data(store, last, load_settings()))
    console = Console(highlight=False)
    console.width = max(console.width, 100)
    console.print(curve_table(data["history"]["digits"]))
    print(f"page: {store.file('reports', report_name(last) + '.html')}")
    print("every item in a browser: make serve; the same in Dagster: make ui")
    if not complete:
        raise SystemExit("not every checkpoint was evaluated in time: see .demo/daemon.log")


if __name__ == "__main__":
    main()
