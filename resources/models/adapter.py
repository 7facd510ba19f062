"""LoRA adapters as PEFT writes them: what a folder is, and which base model it belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.models.base import ModelUnusable

CONFIG, WEIGHTS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
# What PEFT can fold into the base's own weights, so that every engine loads the same ones.
MERGEABLE = frozenset({"LORA", "ADALORA", "LOHA", "LOKR", "IA3", "OFT", "BOFT", "VERA"})
_SAY = "say where it is with base=FOLDER in the model arguments"


@dataclass(frozen=True, slots=True)
class Base:
    """name: a directory, or a hub id, then with the `revision` that is meant."""

    name: str
    revision: str | None = None

    @property
    def folder(self) -> Path | None:
        return Path(self.name) if Path(self.name).is_dir() else None


def is_adapter(folder: Path) -> bool:
    return (folder / CONFIG).is_file()


def base_of(folder: Path, args: Mapping[str, Any]) -> Base:
    """The base model of an adapter: the argument `base`, else what its configuration names.

    A relative path is looked for from the adapter's folder and from the current one; what is no
    folder is a hub id, at the argument `revision` or the one that the configuration has.
    Raises ModelUnusable where there is none.
    """
    config = read_config(folder)
    name = args.get("base") or config.get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        raise ModelUnusable(f"{folder}: {CONFIG} names no base model: {_SAY}")
    path = Path(name).expanduser()
    places = [path] if path.is_absolute() else [folder / path, path]
    found = next((place.resolve() for place in places if place.is_dir()), None)
    if found == folder.resolve():
        raise ModelUnusable(f"{folder}: the adapter names itself as its base: say the right one with base=FOLDER")
    if found:
        return Base(str(found))
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        where = "" if path.is_absolute() else f" (looked for in {folder} and in {Path.cwd()})"
        raise ModelUnusable(f"{folder}: its base model {name} is not there{where}: {_SAY}")
    return Base(name, args.get("revision") or config.get("revision") or None)


def adapter_problem(folder: Path, *, allow_pickle: bool, base: str | None) -> str | None:
    """Why an adapter's folder cannot be evaluated (yet), or None: reads headers, never the weights."""
    from resources.models.weights import INDEX, SINGLE, checkpoint_problem, safetensors_problem

    if whole := next((name for name in (SINGLE, INDEX) if (folder / name).is_file()), None):
        return f"both an adapter ({CONFIG}) and whole weights ({whole}) are there: move away what is not meant"
    try:
        kind = str(read_config(folder).get("peft_type"))
        if kind not in MERGEABLE:
            return f"its peft_type is {kind}; those that are merged into a base: {', '.join(sorted(MERGEABLE))}"
        where = base_of(folder, {"base": base})
    except ModelUnusable as error:
        return str(error).removeprefix(f"{folder}: ")
    if (folder / WEIGHTS).is_file():
        if problem := safetensors_problem(folder / WEIGHTS):
            return problem
    elif not (folder / PICKLE).is_file():
        return f"{WEIGHTS} is missing: still being written?"
    elif not allow_pickle:
        return f"{PICKLE} is a pickle, which can run any code when it is opened: save it as {WEIGHTS}"
    if where.folder is None:
        return None  # the hub is asked when it is hashed
    if is_adapter(where.folder):
        return f"its base {where.folder} is an adapter itself: merge that one first, then {_SAY}"
    problem = checkpoint_problem(where.folder, allow_pickle=allow_pickle)
    return problem and f"its base model: {problem}"


def read_config(folder: Path) -> dict[str, Any]:
    """The adapter's configuration. Raises ModelUnusable where it cannot be read (yet)."""
    try:
        value = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"{folder}: {CONFIG} cannot be read, or is not written in full yet: {error}") from error
    if not isinstance(value, dict):
        raise ModelUnusable(f"{folder}: {CONFIG} holds no JSON object")
    return value
