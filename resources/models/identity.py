"""Which model this is, by content: fingerprints that hash, signatures that only look.

A fingerprint reads every byte that decides an answer (weights, config, tokenizer, processor, chat
template); a signature reads names, sizes and times and says whether hashing again is needed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.models.base import ModelUnusable

_KINDS = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.py", "*.bin", "*.pt", "*.pth", "*.gguf")
# What trainers leave beside the weights and no answer depends on.
_TRAINING = ("trainer_state.json", "training_args*", "optimizer*", "scheduler*", "rng_state*", "scaler*", "README*")


@dataclass(frozen=True, slots=True)
class Identity:
    """fingerprint: hex; size: bytes that were hashed.

    signature: cheap to take again; of a hub id the commit, which is then what is loaded.
    """

    fingerprint: str
    signature: str
    size: int


def identify(model: str, source: str, args: Mapping[str, Any]) -> Identity:
    """The identity of a model. Raises ModelUnusable where `source` is none."""
    if model == "recorded":
        from resources.models.recorded import recorded_fingerprint

        fingerprint, size = recorded_fingerprint(source)
        return Identity(fingerprint, fingerprint, size)
    if model == "openai":
        from resources.models.openai import endpoint

        parts = ["openai", endpoint(args.get("base_url")), source, str(args.get("snapshot", ""))]
        fingerprint = _hex(json.dumps(parts))
        return Identity(fingerprint, fingerprint, 0)
    folder = Path(source)
    if folder.is_dir():
        return _identify_folder(folder)
    if folder.is_absolute() or source.startswith((".", "~")):
        raise ModelUnusable(f"no directory {source}")
    commit = hub_commit(source, args.get("revision"))
    fingerprint = _hex(json.dumps(["hub", source, commit]))
    return Identity(fingerprint, commit, 0)


def signature(folder: Path) -> str:
    """Of names, sizes and modification times of the files that count; reads no content."""
    stats = [(p.relative_to(folder).as_posix(), p.stat()) for p in model_files(folder)]
    return _hex(json.dumps([[name, s.st_size, s.st_mtime_ns] for name, s in stats]))


def model_files(folder: Path) -> list[Path]:
    """Files of a checkpoint that decide its answers, sorted by name."""
    files = {p for kind in _KINDS for p in folder.glob(kind) if p.is_file()}
    return sorted(p for p in files if not any(p.match(t) for t in _TRAINING))


def _identify_folder(folder: Path) -> Identity:
    before = signature(folder)
    files = model_files(folder)
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as handle:
            whole.update(f"{path.name}\x1f{hashlib.file_digest(handle, 'sha256').hexdigest()}\n".encode())
    size = sum(p.stat().st_size for p in files)
    base = _adapter_base(folder)
    if base:
        other = identify("transformers", base, {})
        whole.update(f"base\x1f{other.fingerprint}\n".encode())
        size += other.size
    if signature(folder) != before:
        raise ModelUnusable(f"{folder} changed while it was read: it is still being written")
    return Identity(whole.hexdigest()[:32], before, size)


def _adapter_base(folder: Path) -> str | None:
    config = folder / "adapter_config.json"
    if not config.is_file():
        return None
    base: str | None = json.loads(config.read_text()).get("base_model_name_or_path")
    return base


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
