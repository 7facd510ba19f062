"""Linux processes by what does not change about them: sessions, and ids that cannot be mistaken after a restart."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from functools import cache
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def identity(pid: int) -> str | None:
    """Of a living process, `<boot>:<pid>:<start>`: a number that is given again is not the same process."""
    fields = _stat(pid)
    return None if fields is None else f"{_boot()}:{pid}:{fields[19]}"


def session_members(session: int) -> list[int]:
    """Living processes of a session: all that one process has started and that did not leave by themselves."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) is not None and fields[3] == str(session):
            found.append(int(entry.name))
    return found


def end_session(session: int, grace: float = 10.0, *, spare: int | None = None) -> None:
    """SIGTERM to every process of a session but `spare`, SIGKILL to those that are left after `grace` seconds."""
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + seconds
        for pid in _others(session, spare):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue  # it went meanwhile
        while _others(session, spare) and time.monotonic() < deadline:
            time.sleep(0.05)


def _others(session: int, spare: int | None) -> list[int]:
    return [pid for pid in session_members(session) if pid != spare]


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on; None for no such process and for one that is dead already."""
    try:
        # The name stands in brackets and may hold spaces and brackets itself.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
