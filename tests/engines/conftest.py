"""Engines of the tests: a folder of slots of their own, and nothing left running at the end."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resources.engines.lease import Want, ask, stop_host
from resources.engines.processes import identity, session_members
from resources.engines.slots import Slot

STAND_IN = Path(__file__).parent / "stand_in.py"


class Engines:
    """The slot of one test, and what is known of the processes in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.slot = root, Slot()

    @property
    def folder(self) -> Path:
        return self.root / self.slot.name

    def want(self, model: str, *flags: str, holder: str = "a cell", idle_minutes: float = 1.0) -> Want:
        command = (sys.executable, str(STAND_IN), "serve", model, *flags)
        env = {"PATH": os.environ["PATH"], "EVAL_TEST_ROOT": str(self.root)}
        return Want(repr(command), Path(model).name, holder, "vllm", command, env, 60, idle_minutes)

    def events(self) -> list[str]:
        return [e["event"] for e in self.history()]

    def history(self) -> list[dict]:
        file = self.folder / "events.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def starts(self) -> list[str]:
        return [e["checkpoint"] for e in self.history() if e["event"] == "starts"]

    def status(self) -> dict | None:
        return ask(self.folder, "status")

    def processes(self, what: str = "") -> list[int]:
        """Living processes of this test's engines: by the folder in their arguments or environment."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                shown = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.root).encode() in told and state != "Z" and what in shown:
                found.append(int(entry.name))
        return found

    def members(self) -> dict[int, str | None]:
        """Every process of the engine that runs, by its keeper's session: vLLM's workers overwrite their names."""
        keepers = self.processes("resources.engines.keeper")
        return {pid: identity(pid) for keeper in keepers for pid in session_members(keeper)}

    def kill(self, what: str) -> None:
        pids = self.processes(what)
        assert pids, f"no {what} runs"
        os.kill(pids[0] if what != "stand_in" else min(pids), signal.SIGKILL)


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engines]:
    root = tmp_path / "engines"
    monkeypatch.setenv("EVAL_ENGINES", str(root))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # one slot, on a machine with GPUs too
    monkeypatch.setenv("EVAL_TEST_ROOT", str(root))
    found = Engines(root)
    yield found
    if root.exists():
        for folder in root.iterdir():
            if folder.is_dir():
                stop_host(folder)
    until(lambda: not found.processes("resources.engines"))
    assert not found.processes("stand_in"), "an engine was left behind"
