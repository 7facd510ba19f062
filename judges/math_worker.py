"""A small pool of processes in which expressions are compared under a limit.

math-verify limits itself with `signal.alarm`, which works in a main thread only and cannot interrupt
SymPy inside C code. So the comparison runs in a process of its own, which the kernel ends when it
has used CPU_SECONDS of processor time: its own time, so that a busy machine does not change scores.
The process starts once (two seconds of imports), answers any number of questions over pipes, and
ends with its parent. A plain subprocess and not `multiprocessing`: that would import the parent's
main module once more.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

CPU_SECONDS = 5.0
WALL_SECONDS = 300.0
MEMORY_BYTES = 4 * 2**30
WORKERS = max(1, min(4, os.cpu_count() or 1))


class TooHard(Exception):
    """The comparison used up its processor time or memory, or the library broke on it."""


class _Worker:
    def __init__(self) -> None:
        root = str(Path(__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        # A fixed hash seed: the order of SymPy's sets must not differ between two runs.
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "judges.math_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, question: str, *texts: str) -> bool | float | None:
        """The reply to a question of `serve`. Raises TooHard, or RuntimeError where the process was lost otherwise."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps([CPU_SECONDS, question, *texts]).encode() + b"\n")
            stdin.flush()
            ready, _, _ = select.select([stdout], [], [], WALL_SECONDS)
            line = stdout.readline() if ready else b""
        except BaseException:
            self.close()  # a question may be half asked: this process is of no more use
            raise
        if not line:
            code = self.close()
            if code == -signal.SIGPROF:
                raise TooHard(f"not compared within {CPU_SECONDS:g} s of processor time")
            raise RuntimeError(f"the process comparing expressions was lost (exit status {code})")
        reply = json.loads(line)
        if "error" in reply:
            raise TooHard(reply["error"])
        found: bool | float | None = reply["found"]
        return found

    def stop(self) -> None:
        """Ends an idle process: its input ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self.close()

    def close(self) -> int:
        """Ends the process, if it still runs, and returns its exit status."""
        try:
            return self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


_idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()


def _forget() -> None:
    """An empty pool; a forked process must not share pipes with its parent."""
    global _idle  # noqa: PLW0603
    _idle = queue.LifoQueue()
    for _ in range(WORKERS):
        _idle.put(None)


def _stop() -> None:
    """Ends the idle processes; one in use ends when its input does, with this process."""
    while not _idle.empty():
        worker = _idle.get()
        if worker is not None:
            worker.stop()


_forget()
atexit.register(_stop)
os.register_at_fork(after_in_child=_forget)


def compare(label: str, answer: str) -> bool:
    """Equality of two clean expressions. Raises TooHard; blocks for as long as the comparison takes."""
    return bool(_ask("thorough", label, answer))


def value(text: str) -> float | None:
    """`judges.mathvision.value`. Raises TooHard; blocks for as long as it takes."""
    return _ask("value", text)


def _ask(question: str, *texts: str) -> bool | float | None:
    reply = _asked(question, *texts)
    if isinstance(reply, str):
        raise TooHard(reply)
    return reply


@lru_cache(maxsize=50_000)
def _asked(question: str, *texts: str) -> bool | float | str | None:
    pool = _idle
    worker = pool.get()
    try:
        worker = worker or _Worker()
        return worker.ask(question, *texts)
    except TooHard as error:
        return str(error)
    finally:
        pool.put(worker if worker is not None and worker.alive else None)


def serve() -> None:
    """The worker's side: one JSON line in, one out, until the input ends."""
    import resource

    import sympy

    from judges.math_compare import quiet, thorough
    from judges.mathvision import value as published_value

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; then the input ends
    quiet()
    questions: dict[str, Callable[..., object]] = {"thorough": thorough, "value": published_value}
    thorough("2", "3")  # whatever loads late is loaded now, on nobody's time
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        seconds, question, *texts = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, seconds)  # when it runs out, the process ends
        sympy.core.random.seed(0)
        try:
            reply: dict[str, object] = {"found": questions[question](*texts)}
        except (Exception, MemoryError, RecursionError) as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:200]}
        signal.setitimer(signal.ITIMER_PROF, 0)
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    serve()
