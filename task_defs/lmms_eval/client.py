"""A process that runs the functions of one family of lmms-eval's tasks, asked over pipes."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from task_defs.lmms_eval.endpoint import Endpoint
from task_defs.lmms_eval.install import Installed

SERVE = Path(__file__).parent / "worker"
START_SECONDS = 300.0  # imports of torch and lmms-eval on a cold and busy disk
# What a process needs of the environment. No key is in it: those are granted by name, with EVAL_LMMS_ENV.
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "EVAL_LMMS_NETWORK")


class FunctionFailed(RuntimeError):
    """A function of lmms-eval raised. traceback: as it was; package: the one that it lacks, if it lacks one."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.kind, self.traceback, self.package = error["kind"], error["traceback"], error.get("package")
        message = f"{self.kind}: {error['message']}"
        if self.package:
            message += f" (it needs the package {self.package}: {{python}} -m pip install {self.package})"
        super().__init__(message)


class WorkerLost(RuntimeError):
    """The process did not answer in time, or ended: the next question starts another one."""


def item_seconds() -> float:
    """How long one item's function may take: EVAL_LMMS_TIMEOUT, in seconds."""
    return float(os.environ.get("EVAL_LMMS_TIMEOUT") or 120)


class Worker:
    """One process for one family. Questions are asked one after another, whichever thread they come from."""

    def __init__(self, found: Installed, endpoint: Endpoint, home: Path) -> None:
        self.found, self.endpoint, self.home = found, endpoint, home
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._pending = b""

    def ask(self, op: str, seconds: float | None = None, **fields: Any) -> Any:
        """The value of one answer. Raises FunctionFailed, WorkerLost."""
        for part in self.stream(op, seconds, **fields):
            if "value" in part:
                return part["value"]
        raise AssertionError("an answer ends with a value")  # pragma: no cover

    def stream(self, op: str, seconds: float | None = None, **fields: Any) -> Iterator[dict[str, Any]]:
        """{"part": ...} for each part of the answer, then {"value": ...}; `seconds` is the limit from part to part."""
        limit = item_seconds() if seconds is None else seconds
        with self._lock:
            finished = False
            try:
                wait = self._start()
                self._write({"op": op, **fields})
                while not finished:
                    answer = json.loads(self._line(max(limit, wait), limit))
                    wait, finished = 0.0, bool(answer.get("done"))
                    if "error" in answer:
                        raise self._failed(answer["error"])
                    yield answer
            finally:
                if not finished:
                    self._kill()  # half an answer is in the pipe, or it hangs

    def _failed(self, error: dict[str, Any]) -> FunctionFailed:
        failed = FunctionFailed(error)
        failed.args = (str(failed).replace("{python}", str(self.found.python)),)
        return failed

    def _start(self) -> float:
        """Start the process where there is none; returns how long its first answer may take more."""
        if self._process is not None and self._process.poll() is None:
            return 0.0
        self._folder = tempfile.TemporaryDirectory(prefix="lmms-eval-")
        self._pending = b""
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [str(self.found.python), str(SERVE)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._folder.name,
                env=self._environment(),
                start_new_session=True,
            )
        return START_SECONDS

    @property
    def _log(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / "stderr.log"

    def _environment(self) -> dict[str, str]:
        granted = [name.strip() for name in os.environ.get("EVAL_LMMS_ENV", "").split(",") if name.strip()]
        passed = {name: os.environ[name] for name in (*_PASSED, *granted) if name in os.environ}
        offline = "0" if os.environ.get("EVAL_LMMS_NETWORK") == "1" else "1"
        return {
            "HF_HUB_OFFLINE": offline,
            "HF_DATASETS_OFFLINE": offline,
            "HF_HOME": str(self.home),  # where functions look for videos
            "LOGURU_LEVEL": "WARNING",
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONHASHSEED": "0",
            "OMP_NUM_THREADS": "1",
            **self.endpoint.environment(),
            **passed,
        }

    def _write(self, question: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise WorkerLost(self._ended()) from error

    def _line(self, wait: float, limit: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + wait
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise WorkerLost(f"no answer within {limit:g} s (EVAL_LMMS_TIMEOUT): the process was ended")
                chunk = os.read(self._process.stdout.fileno(), 1 << 20)
                if not chunk:
                    raise WorkerLost(self._ended())
                self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _ended(self) -> str:
        assert self._process is not None
        code = self._process.wait()
        last = self._log.read_text(errors="replace").strip()[-1500:]
        return f"the process of lmms-eval's functions ended (exit status {code}): {last}"

    def _kill(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def close(self) -> None:
        """End the process; a later question starts it again."""
        with self._lock:
            self._kill()
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None


def hub_home() -> Path:
    """The folder that HF_HOME names."""
    return Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()


_workers: dict[tuple[Path, Path, Path], Worker] = {}


def worker_for(found: Installed, family: Path, home: Path | None = None) -> Worker:
    """The process that serves a family, one in this process. home: its HF_HOME, if not that of this process."""
    key = (found.python, family, home or hub_home())
    if key not in _workers:
        _workers[key] = Worker(found, Endpoint(), key[2])
    return _workers[key]


def _forget() -> None:
    """A forked process must not share pipes with its parent."""
    _workers.clear()


def close_all() -> None:
    """End every process that was started; later questions start them again."""
    for worker in _workers.values():
        worker.close()


os.register_at_fork(after_in_child=_forget)
atexit.register(close_all)
