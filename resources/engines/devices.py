"""The GPUs of a slot, some of which may belong to another slot as well (engines of one GPU and of two)."""

from __future__ import annotations

import fcntl
from collections.abc import Sequence
from pathlib import Path
from typing import IO


class Devices:
    """Locks in the folder that the slots of a machine share; held from the first `take` until the process ends."""

    def __init__(self, slot: Path, devices: Sequence[str]) -> None:
        self._name = slot.name
        self._paths = [slot.parent / f"gpu-{device}.lock" for device in devices]
        self._held: list[IO[str]] = []

    def take(self) -> str | None:
        """Take all of them, or none: then the name of a slot that holds one."""
        if self._held:
            return None
        files: list[IO[str]] = []
        for path in self._paths:
            files.append(path.open("a+"))
            try:
                fcntl.flock(files[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                files[-1].seek(0)
                other = files[-1].read()
                for file in files:
                    file.close()
                return other
        for file in files:
            file.truncate(0)
            file.write(self._name)
            file.flush()
        self._held = files
        return None
