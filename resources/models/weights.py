"""Whether a directory holds a whole checkpoint: reads headers and indexes, never the weights.

Also what a watcher asks of a directory that a training script is still writing into.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from resources.models.adapter import CONFIG, WEIGHTS, adapter_problem, is_adapter
from resources.models.sharded import needs_converter

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors format itself
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
# What trainers leave beside the weights; also pickles, but nothing that a model is loaded from.
_NOT_WEIGHTS = ("training_args", "optimizer", "scheduler", "rng_state", "scaler")
TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "tekken.json",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer_config.json",
)


def safetensors_problem(path: str | os.PathLike[str]) -> str | None:
    """Why a safetensors file is not whole, or None.

    A whole file has exactly 8 bytes of header length, the header, and the data up to the largest
    offset that the header gives: https://huggingface.co/docs/safetensors (format). A file that
    was given its full length before its data were written cannot be told from a whole one.
    """
    path = Path(path)
    try:
        size, expected = _lengths(path)
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror or error}"
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return f"{path.name} has no whole safetensors header: still being written, or not such a file?"
    if size < expected:
        return f"{path.name} is cut short: {size} of {expected} bytes. Still being written, or half copied?"
    if size > expected:
        return f"{path.name} is {size - expected} bytes longer than its header says: {size}, not {expected}"
    return None


def _lengths(path: Path) -> tuple[int, int]:
    """Bytes that a safetensors file has, and that its header implies. Raises where there is no header."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(size - 8, MAX_HEADER):
            raise ValueError(length)
        header = json.loads(file.read(length))
    tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
    return size, 8 + length + max((int(tensor["data_offsets"][1]) for tensor in tensors), default=0)


def checkpoint_problem(
    directory: str | os.PathLike[str], *, allow_pickle: bool = False, base: str | None = None
) -> str | None:
    """Why a directory is not (yet) a model in Hugging Face format, or None.

    Looks for config.json, a tokenizer, and weights that are whole: every shard that the index
    names, or the single file. Pickled weights count with ``allow_pickle`` only, and unchecked.
    An adapter as PEFT writes it is whole when its base is: ``base``, or what its configuration names.
    """
    folder = Path(directory)
    if not folder.is_dir():
        return f"no directory {folder}"
    if not any(folder.iterdir()):
        return f"{folder} is empty"
    if is_adapter(folder):
        problem = adapter_problem(folder, allow_pickle=allow_pickle, base=base)
        return f"{folder}: {problem}" if problem else None
    config = _read_json(folder / "config.json")
    if isinstance(config, str):
        return f"{folder}: {_no_model(folder) or config}"
    problem = _weights_problem(folder, allow_pickle=allow_pickle)
    if problem is None and not any((folder / name).is_file() for name in TOKENIZERS):
        problem = f"there is no tokenizer: none of {', '.join(TOKENIZERS)}"
    return f"{folder}: {problem}" if problem else None


def _no_model(folder: Path) -> str | None:
    """What else a folder without config or weights is, where that can be said."""
    if (folder / WEIGHTS).is_file():
        return f"{WEIGHTS} is there and {CONFIG} is not: an adapter that is still being written?"
    return needs_converter(folder)


def _weights_problem(folder: Path, *, allow_pickle: bool) -> str | None:
    if (folder / SINGLE).is_file():
        return safetensors_problem(folder / SINGLE)
    if (folder / INDEX).is_file():
        return _shards_problem(folder)
    if pickles := pickled_weights(folder):
        if allow_pickle:
            return None
        if elsewhere := needs_converter(folder):
            return elsewhere
        return (
            f"{pickles[0].name} is a pickle, which can run any code when it is opened: convert it to "
            f"safetensors, or pass allow_pickle=True if you trust its author"
        )
    return _no_model(folder) or f"no weights: neither {SINGLE} nor {INDEX} is there"


def pickled_weights(folder: Path) -> list[Path]:
    """Files of a directory that look like pickled weights, sorted."""
    found = {path for kind in PICKLES for path in folder.glob(kind) if path.is_file()}
    return sorted(path for path in found if not path.name.startswith(_NOT_WEIGHTS))


def _shards_problem(folder: Path) -> str | None:
    index = _read_json(folder / INDEX)
    if isinstance(index, str):
        return index
    weights = index.get("weight_map")
    if not isinstance(weights, dict) or not weights:
        return f"{INDEX} names no weights"
    shards = sorted({str(name) for name in weights.values()})
    if outside := [name for name in shards if Path(name).name != name or name in ("", ".", "..")]:
        return f"{INDEX} names {outside[0]!r}, which is no file of this directory"
    missing = [name for name in shards if not (folder / name).is_file()]
    if missing:
        return f"{len(missing)} of {len(shards)} weight files are missing: {', '.join(missing[:3])}"
    return next(filter(None, (safetensors_problem(folder / name) for name in shards)), None)


def _read_json(path: Path) -> dict[str, Any] | str:
    """The object in a JSON file, or why there is none."""
    if not path.is_file():
        return f"{path.name} is missing"
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        return f"{path.name} cannot be read, or is not written in full yet: {error}"
    return value if isinstance(value, dict) else f"{path.name} holds no JSON object"
