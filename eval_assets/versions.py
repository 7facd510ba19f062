"""Identities: every key and version that decides whether something must be done again.

Pure functions over plain data. A key is the hexadecimal start of the SHA-256 of canonical JSON, so
that it is the same in every process and on every machine.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

# Bump when the way requests are sent changes what a model answers. Not a digest of our code: a
# mended retry must not buy API answers again.
WIRE_VERSION = 1

_LENGTH = 32  # 128 bits
_PACKAGES = ("eval-assets", "dagster", "pylance", "pyarrow", "numpy", "math-verify", "openai", "transformers", "torch")


def digest(value: Any) -> str:
    """Digest of JSON-able data; the order of keys in mappings does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


class StreamDigest:
    """Digest of a sequence of strings of any length, in their order, in flat memory."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, part: str) -> None:
        data = part.encode("utf-8", "surrogatepass")
        self._hash.update(len(data).to_bytes(8, "big"))
        self._hash.update(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()[:_LENGTH]


def digest_sequence(parts: Iterable[str]) -> str:
    stream = StreamDigest()
    for part in parts:
        stream.add(part)
    return stream.hexdigest()


def item_hash(doc: Mapping[str, Any], media: Iterable[str]) -> str:
    """Of an item's fields and its media's hashes (a missing medium counts by its reason)."""
    return digest([doc, list(media)])


def input_hash(messages: Any, media: Iterable[str], continuations: Iterable[str] = ()) -> str:
    """Of what a model sees of an item: rendered messages, with media hashes in place of bytes."""
    return digest([messages, list(media), list(continuations)])


def settings_key(
    engine: Mapping[str, Any], gen_kwargs: Mapping[str, Any], fingerprint: str, commit: str | None = None
) -> str:
    """Everything a request depends on beside its input: computed once per cell.

    engine: name, version and the settings that change answers. fingerprint: of the model.
    commit: given with EVAL_CACHE_BY_COMMIT=1, which makes the cache the seed paper's
        hash(input + config + git commit).
    """
    return digest([WIRE_VERSION, dict(engine), dict(gen_kwargs), fingerprint, commit])


def request_key(settings: str, inputs: str, sample: int, item_id: str | None = None) -> str:
    """Of one request.

    settings: `settings_key`; inputs: `input_hash`; sample: 0..K-1.
    item_id: only for recorded answers, which are given by item and not by what was asked.
    """
    text = f"{settings}\x1f{inputs}\x1f{sample}\x1f{'' if item_id is None else item_id}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


def cell_key(requests: str, settings: str, repeats: int, limit: int | None) -> str:
    """Of one checkpoint on one task: digest of the task's request inputs and the settings."""
    return digest([requests, settings, repeats, limit])


def variant_id(
    gen: Mapping[str, Any],
    repeats: int | None,
    limit: int | None,
    blind: bool = False,
    frames: int | None = None,
    episode: Mapping[str, Any] | None = None,
) -> str:
    """Name of a run that departs from the task's definition; "" for one that does not. episode: its player's params."""
    parts = [f"{k}={v}" for k, v in sorted(gen.items())]
    parts += [f"repeats={repeats}"] if repeats is not None else []
    parts += [f"limit={limit}"] if limit is not None else []
    parts += ["blind"] if blind else []
    parts += [f"frames={frames}"] if frames is not None else []
    parts += [f"episode.{k}={v}" for k, v in sorted((episode or {}).items())]
    return ",".join(parts)


def cache_commit() -> str | None:
    """The git commit, where EVAL_CACHE_BY_COMMIT=1 puts it into the request key."""
    if os.environ.get("EVAL_CACHE_BY_COMMIT") not in {"1", "true"}:
        return None
    commit = git_commit()
    if commit is None:
        raise RuntimeError("EVAL_CACHE_BY_COMMIT=1, but this is no git checkout: unset it or run from one")
    return commit


@cache
def git_commit() -> str | None:
    """The checkout's commit with `-dirty` when it differs from it; None outside a checkout."""
    import subprocess
    from pathlib import Path

    here = Path(__file__).resolve().parent
    try:
        described = subprocess.run(  # noqa: S603
            ["git", "-C", str(here), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],  # noqa: S607
            capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None


@cache
def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on, those that are installed."""
    from importlib import metadata

    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed, or our own code run from a checkout
    return found
