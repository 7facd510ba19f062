"""The next checkpoint's weights in a running engine: how it is done, and where it has been shown to be right.

An engine says "success" whatever its caches still hold of the old weights. vLLM 0.32 keeps blocks of
its prefix cache over `reload_weights`: the next answers are then computed from the old weights' keys and
values. So all caches are dropped with a swap, and none is made before `evals engines qualify-swap` has
compared its answers with a cold start's for that architecture, engine, version and settings.
"""

from __future__ import annotations

import hashlib
import json
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.engines.options import EngineOptions, Kind
from resources.engines.slots import root
from resources.models.identity import model_files

# Requests that change a running engine exist in vLLM only with this; it listens on loopback alone.
SWAPPABLE_ENV = {"vllm": {"VLLM_SERVER_DEV_MODE": "1"}, "sglang": {}}
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
_SECONDS = 600.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SwapFailed(RuntimeError):
    """The engine did not take the weights; it has to be started anew."""


def swap_weights(url: str, kind: Kind, model: str, *, forget: bool = True) -> None:
    """Load a folder's weights into the engine at `url` and drop what it kept of the old ones.

    Nothing may be under way. forget: False leaves the caches, to see what comes of it. Raises SwapFailed.
    """
    if kind == "sglang":
        _post(f"{url}/update_weights_from_disk", {"model_path": model, "flush_cache": forget}, must="success")
        return
    _post(f"{url}/collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": model}})
    if forget:
        _post(f"{url}/reset_prefix_cache", {}, must="success")
        _post(f"{url}/reset_mm_cache", {})
        _post(f"{url}/reset_encoder_cache", {})


def _post(url: str, body: Mapping[str, Any], must: str | None = None) -> None:
    request = urllib.request.Request(  # noqa: S310  # our own loopback address
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with _DIRECT.open(request, timeout=_SECONDS) as reply:
            content = reply.read()
        if must and not json.loads(content).get(must):
            raise SwapFailed(f"{url} says {content[:300].decode(errors='replace')}")
    except (OSError, ValueError) as error:
        raise SwapFailed(f"{url}: {error}") from error


# --- where it is right ----------------------------------------------------------------------------


def swap_key(options: EngineOptions, version: str, folder: Path) -> str:
    """Of all that two checkpoints must share: engine, version, settings, and every file but the weights."""
    files = [p for p in model_files(folder) if p.suffix not in _WEIGHTS and not p.name.endswith(".index.json")]
    shared = [[p.name, hashlib.sha256(p.read_bytes()).hexdigest()] for p in files]
    parallel = [options.tensor_parallel_size, options.pipeline_parallel_size, options.data_parallel_size]
    parts = [options.kind, version, options.answering(), list(options.tuning_args), parallel, shared]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def qualification(key: str) -> dict[str, Any] | None:
    """What `qualify-swap` found for this key on this machine; None where it never ran."""
    found: dict[str, Any] | None = _qualifications().get(key)
    return found


def keep_qualification(key: str, found: Mapping[str, Any]) -> None:
    file = root() / "swaps.json"
    temporary = file.with_name(f".swaps.{os.getpid()}")
    temporary.write_text(json.dumps({**_qualifications(), key: dict(found)}, indent=1))
    temporary.rename(file)


def _qualifications() -> dict[str, Any]:
    try:
        known: dict[str, Any] = json.loads((root() / "swaps.json").read_text())
    except FileNotFoundError:
        return {}
    return known
