"""Checkpoints in the formats of distributed training: recognised by their files, never opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

DCP, MEGATRON, DEEPSPEED = "DCP", "Megatron", "DeepSpeed"
_SAYS = {
    DCP: "a PyTorch distributed checkpoint (DCP, as FSDP writes it: .metadata and *.distcp)",
    MEGATRON: "a Megatron checkpoint (mp_rank_*)",
    DEEPSPEED: "a DeepSpeed checkpoint (*_model_states.pt)",
}
_TRACKERS = {MEGATRON: "latest_checkpointed_iteration.txt", DEEPSPEED: "latest"}
_NUMBER = re.compile(r"(\d+)$")


def sharded_format(folder: Path) -> str | None:
    """`DCP`, `Megatron` or `DeepSpeed` where a folder, or a folder directly in it, holds such files."""
    for place in _places(folder):
        names = [path.name for path in place.iterdir()]
        if ".metadata" in names or any(name.endswith(".distcp") for name in names):
            return DCP
        if any(name.endswith("_model_states.pt") for name in names):
            return DEEPSPEED
        if any(name.startswith("mp_rank_") for name in names):
            return MEGATRON
    return None


def needs_converter(folder: Path) -> str | None:
    """That a folder is in such a format, and how to name a converter; None for any other folder."""
    found = sharded_format(folder)
    if found is None:
        return None
    return (
        f"this looks like {_SAYS[found]}, which no engine loads. Name a program that converts it: "
        'convert: [python, tools/to_hf.py, "{source}", "{target}"] in the watch entry or in the model arguments; '
        "see docs/checkpoints.md"
    )


def unfinished(folder: Path) -> str | None:
    """Why such a checkpoint is still being written, or None.

    By the file that each format writes last: DCP `.metadata` in the folder of the shards; Megatron
    `latest_checkpointed_iteration.txt` and DeepSpeed `latest` beside the iteration's folder.
    """
    if not any(folder.iterdir()):
        return "it is empty"
    for place in _places(folder):
        if any(place.glob("*.distcp")) and not (place / ".metadata").is_file():
            return f"{_shown(place, folder)}.metadata, which is written last, is not there yet"
    found = sharded_format(folder)
    return _untracked(folder, found) if found in _TRACKERS else None


def _untracked(folder: Path, found: str) -> str | None:
    """Why the format's tracker does not yet name the iteration in this folder, or None."""
    tracker = _TRACKERS[found]
    file = next((p / tracker for p in (folder, folder.parent) if (p / tracker).is_file()), None)
    if file is None:
        return f"{tracker}, which is written last, is not there yet"
    here = _NUMBER.search(folder.name)
    done = _NUMBER.search(file.read_text(errors="replace").strip())
    if here and done and int(done.group(1)) < int(here.group(1)) and file.parent != folder:
        return f"{tracker} says {done.group(1)}: this one is still being written, or the training began anew before it"
    return None


def _places(folder: Path) -> Iterator[Path]:
    yield folder
    yield from sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _shown(place: Path, folder: Path) -> str:
    return "" if place == folder else f"{place.name}/"
