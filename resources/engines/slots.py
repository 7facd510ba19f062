"""Slots: which GPUs one engine may take, and the folder of this machine where its host is found.

A slot belongs to a machine and not to an EVAL_HOME: two projects on one machine share its GPUs, two
machines over one EVAL_HOME share nothing. So its folder is local and private to the user.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resources.models.base import ModelUnusable

# In a slot's folder: where its host listens, and what it holds as long as it lives.
SOCKET, LOCK = "host.sock", "lock"


@dataclass(frozen=True, slots=True)
class Slot:
    """devices: indices of GPUs; none on a machine without."""

    devices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"gpu-{'-'.join(self.devices)}" if self.devices else "cpu"

    @property
    def folder(self) -> Path:
        return root() / self.name


def root() -> Path:
    """EVAL_ENGINES, or a folder of this user among the machine's temporary files. Made where it is missing."""
    named = os.environ.get("EVAL_ENGINES")
    path = Path(named or Path(tempfile.gettempdir()) / f"eval-assets-{os.getuid()}").expanduser().absolute()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ModelUnusable(f"{path} is not a folder of yours: remove it, or set EVAL_ENGINES to another")
    path.chmod(0o700)  # the socket in it starts processes
    return path


def media_folder() -> Path:
    """What engines may read files from."""
    return root() / "media"


def detected_devices() -> tuple[str, ...]:
    """GPUs of this machine: CUDA_VISIBLE_DEVICES where it is set, else all that the driver knows."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(part.strip() for part in visible.split(",") if part.strip() not in ("", "-1"))
    return tuple(str(i) for i in range(len(list(Path("/proc/driver/nvidia/gpus").glob("*")))))


def slots(configured: Sequence[Sequence[int | str]], needed: int) -> list[Slot]:
    """The configured slots with at least `needed` GPUs; without any, the machine's GPUs in groups of that size.

    One slot on a machine without GPUs. Raises ModelUnusable where no slot is large enough.
    """
    devices = detected_devices()
    if configured:
        found = [Slot(tuple(map(str, group))) for group in configured]
        if devices:
            found = [slot for slot in found if len(slot.devices) >= needed]
    elif devices:
        found = [Slot(devices[i : i + needed]) for i in range(0, len(devices) - needed + 1, needed)]
    else:
        found = [Slot()]
    if not found:
        raise ModelUnusable(
            f"the engine takes {needed} GPUs and no slot has as many: {len(devices)} are visible here; "
            "lower tensor_parallel_size, or change `slots:` in models.yaml"
        )
    return found
