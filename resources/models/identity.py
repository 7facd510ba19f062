"""Which model this is, by content: fingerprints that hash, signatures that only look.

A fingerprint reads every byte that decides an answer (weights, config, tokenizer, processor, chat
template; of an adapter also its base's); a signature reads names, sizes and times and says whether
hashing again is needed. A converted checkpoint has the fingerprint of what the converter made of it,
and the signature of all that it was made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from resources.models.adapter import Base, base_of, is_adapter
from resources.models.base import ModelUnusable
from resources.models.conversion import hook_of, loadable, look
from resources.models.derived import Log, quiet

_KINDS = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.py", "*.bin", "*.pt", "*.pth", "*.gguf")
# What trainers leave beside the weights and no answer depends on.
_TRAINING = ("trainer_state.json", "training_args*", "optimizer*", "scheduler*", "rng_state*", "scaler*", "README*")


@dataclass(frozen=True, slots=True)
class Identity:
    """fingerprint: hex; size: bytes that were hashed.

    signature: cheap to take again; of a hub id the commit, which is then what is loaded. Of an
    adapter whose base is a hub id it ends in `@` and the base's commit.
    """

    fingerprint: str
    signature: str
    size: int


def identify(model: str, source: str, args: Mapping[str, Any], log: Log = quiet) -> Identity:
    """The identity of a model; a folder with a converter is converted. Raises ModelUnusable where `source` is none."""
    if model == "recorded":
        from resources.models.recorded import recorded_fingerprint

        fingerprint, size = recorded_fingerprint(source)
        return Identity(fingerprint, fingerprint, size)
    if model == "baseline":
        fingerprint = _hex(json.dumps(["baseline", source]))
        return Identity(fingerprint, fingerprint, 0)
    if model == "openai":
        from resources.models.presets import endpoint

        parts = ["openai", endpoint(args.get("base_url"), args.get("preset")), source, str(args.get("snapshot", ""))]
        fingerprint = _hex(json.dumps(parts))
        return Identity(fingerprint, fingerprint, 0)
    folder = Path(source)
    if folder.is_dir():
        return _identify_folder(folder, args, log)
    if args.get("convert"):
        raise ModelUnusable(f"convert needs a directory, and {source} is none")
    if folder.is_absolute() or source.startswith((".", "~")):
        raise ModelUnusable(f"no directory {source}")
    commit = hub_commit(source, args.get("revision"))
    fingerprint = _hex(json.dumps(["hub", source, commit]))
    return Identity(fingerprint, commit, 0)


def signature(folder: Path, args: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Of names, sizes and modification times of the files that count; reads no content.

    args: the model arguments. With `convert` every file of the folder counts, and the converter's own;
    of an adapter the base's files count too.
    """
    if hook := hook_of(args):
        return look(folder, hook)
    base = base_of(folder, args) if is_adapter(folder) else None
    if base is None:
        return _hex(json.dumps(_stats(folder)))
    return _hex(json.dumps([_stats(folder), _stats(base.folder) if base.folder else [base.name, base.revision]]))


def changed(folder: Path, args: Mapping[str, Any], before: str | None) -> bool:
    """Whether a folder looks otherwise than when it had the signature `before` (None: never)."""
    try:
        return before is None or signature(folder, args) != before.partition("@")[0]
    except ModelUnusable:
        return True  # its base has gone, or is being written: who loads or hashes it says so


def pinned(source: str, args: Mapping[str, Any], before: str | None) -> dict[str, Any]:
    """Model arguments that load what was hashed when the signature was `before`, not a later commit."""
    commit = before.partition("@")[2] if before and Path(source).is_dir() else before
    return {**args, "revision": commit} if commit else dict(args)


def model_files(folder: Path) -> list[Path]:
    """Files of a checkpoint that decide its answers, sorted by name."""
    files = {p for kind in _KINDS for p in folder.glob(kind) if p.is_file()}
    return sorted(p for p in files if not any(p.match(t) for t in _TRAINING))


def _stats(folder: Path) -> list[list[Any]]:
    stats = [(p.relative_to(folder).as_posix(), p.stat()) for p in model_files(folder)]
    return [[name, s.st_size, s.st_mtime_ns] for name, s in stats]


def _identify_folder(folder: Path, args: Mapping[str, Any], log: Log) -> Identity:
    before = signature(folder, args)
    weights = loadable(folder, args, log)
    whole, size = _contents(weights)
    commit = ""
    if is_adapter(weights):
        base, more, commit = _identify_base(base_of(weights, args))
        whole.update(f"base\x1f{base}\n".encode())
        size += more
    if signature(folder, args) != before:
        raise ModelUnusable(f"{folder} changed while it was read: it is still being written")
    return Identity(whole.hexdigest()[:32], f"{before}@{commit}" if commit else before, size)


def _contents(folder: Path) -> tuple[Any, int]:
    """A hash over the files that count, still open, and their bytes."""
    files = model_files(folder)
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as handle:
            whole.update(f"{path.name}\x1f{hashlib.file_digest(handle, 'sha256').hexdigest()}\n".encode())
    return whole, sum(p.stat().st_size for p in files)


def _identify_base(base: Base) -> tuple[str, int, str]:
    """Fingerprint, bytes and, of a hub id, commit of an adapter's base."""
    if base.folder:
        whole, size = _contents(base.folder)
        return whole.hexdigest()[:32], size, ""
    found = identify("transformers", base.name, {"revision": base.revision})
    return found.fingerprint, 0, found.signature


def hub_commit(repo: str, revision: str | None) -> str:
    """The commit that a hub id's revision stands for now: asked of the hub, else of the cache."""
    try:
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise ModelUnusable(
            f"{repo!r} is neither a directory nor can the hub be asked: pip install 'eval-assets[local]'"
        ) from error
    try:
        sha = HfApi().model_info(repo, revision=revision, timeout=10).sha
        if sha:
            return sha
    except HfHubHTTPError as error:
        raise ModelUnusable(f"the hub has no model {repo!r} at revision {revision or 'main'}: {error}") from error
    except (OSError, ValueError):
        pass  # offline: the cache below knows, or says that it does not
    except Exception as error:  # the hub client's transport errors have no common public base
        if "connect" not in type(error).__name__.lower() and "offline" not in type(error).__name__.lower():
            raise
    try:
        return Path(snapshot_download(repo, revision=revision, local_files_only=True)).name
    except (LocalEntryNotFoundError, ValueError) as error:
        raise ModelUnusable(
            f"{repo!r} is no directory here, the hub cannot be reached, and its cache does not hold it"
        ) from error


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
