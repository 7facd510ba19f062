"""Command lines of vLLM and SGLang, and which version an environment holds."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from resources.engines.options import EngineOptions, Kind
from resources.engines.slots import media_folder
from resources.models.base import ModelUnusable

# The name of the model at every engine: a swapped checkpoint keeps it.
SERVED = "served"
_MODULES = {"vllm": ("vllm.entrypoints.cli.main", "serve"), "sglang": ("sglang.launch_server",)}
# Nothing is reported to anybody, and nothing is looked up on the way unless the user's environment says so.
_ENV = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
# Of this process's environment, what would lead another interpreter to our packages.
_OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


@dataclass(frozen=True)
class Launch:
    """What to start. command: without host and port, which the engine's host adds."""

    kind: Kind
    command: tuple[str, ...]
    env: dict[str, str]


def launch(options: EngineOptions, model: str, *, revision: str | None = None, devices: tuple[str, ...] = ()) -> Launch:
    """The command that serves a model (a folder, or a hub id at a commit) on these GPUs. Raises ModelUnusable."""
    words = options.command or (str(interpreter(options)), "-m", *_MODULES[options.kind])
    flags = _vllm(options, model) if options.kind == "vllm" else _sglang(options, model)
    flags += _optional("--revision", revision)
    env = {k: v for k, v in os.environ.items() if k not in _OURS} | _ENV | options.env
    if devices:
        env["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    return Launch(options.kind, (*words, *flags, *options.extra_args, *options.tuning_args), env)


def _vllm(o: EngineOptions, model: str) -> list[str]:
    flags = [model, "--served-model-name", SERVED, "--dtype", o.dtype, *_parallel(o)]
    flags += ["--enable-chunked-prefill" if o.chunked_prefill else "--no-enable-chunked-prefill"]
    # How much of a prompt came from the cache is part of what a report says of a cell.
    flags += ["--enable-prompt-tokens-details", "--max-logprobs", "100"]
    flags += _optional("--quantization", o.quantization) + _optional("--max-model-len", o.max_model_len)
    flags += _optional("--gpu-memory-utilization", o.memory_fraction) + _optional("--chat-template", o.chat_template)
    flags += _json("--limit-mm-per-prompt", o.limit_mm_per_prompt)
    flags += _optional("--allowed-local-media-path", media_folder() if o.shares_disk else None)
    flags += _json("--mm-processor-kwargs", o.mm_processor_kwargs)
    return flags


def _sglang(o: EngineOptions, model: str) -> list[str]:
    flags = ["--model-path", model, "--served-model-name", SERVED, "--dtype", o.dtype, *_parallel(o)]
    flags += ["--enable-metrics", "--enable-cache-report"] + (
        [] if o.chunked_prefill else ["--chunked-prefill-size", "-1"]
    )
    flags += _optional("--quantization", o.quantization) + _optional("--context-length", o.max_model_len)
    flags += _optional("--mem-fraction-static", o.memory_fraction) + _optional("--chat-template", o.chat_template)
    flags += _json("--limit-mm-data-per-request", o.limit_mm_per_prompt)
    flags += _json("--mm-process-config", o.mm_processor_kwargs)
    return flags


def _parallel(o: EngineOptions) -> list[str]:
    found = []
    for name in ("tensor", "pipeline", "data"):
        size = getattr(o, f"{name}_parallel_size")
        found += [f"--{name}-parallel-size", str(size)] if size > 1 else []
    return found


def _optional(flag: str, value: object) -> list[str]:
    return [] if value is None else [flag, str(value)]


def _json(flag: str, value: dict[str, object] | dict[str, int]) -> list[str]:
    return [flag, json.dumps(value, sort_keys=True)] if value else []


def interpreter(options: EngineOptions) -> Path:
    """The engine's Python. Raises ModelUnusable where there is none."""
    path = Path(options.python or f".venv-{options.kind}/bin/python").expanduser().absolute()
    if not os.access(path, os.X_OK):
        how = "`make engines` builds one" if options.kind == "vllm" else f"see requirements/{options.kind}.txt"
        raise ModelUnusable(
            f"{options.kind} is not installed: no interpreter {path}. {how[0].upper()}{how[1:]}, or name yours as "
            f"`python:` of the engine in models.yaml"
        )
    return path


def engine_version(options: EngineOptions) -> str:
    """The engine's version, asked of its interpreter. Raises ModelUnusable where it is not installed there."""
    if options.version:
        return options.version
    python = interpreter(options)
    # An upgrade changes the folder of packages; a long-lived daemon must see it.
    stamps = tuple(p.stat().st_mtime_ns for p in sorted(python.parent.parent.glob("lib*/python3*/site-packages")))
    return _asked(str(python), options.kind, stamps)


_QUESTION = """
import importlib.metadata as m
found = [d.version for d in m.distributions() if (d.name or '').lower() in ({kind!r}, {kind!r} + '-cpu')]
print({kind!r}, *found[:1])
"""


def _last(text: str) -> str:
    return text.strip().rpartition("\n")[2]


@cache
def _asked(python: str, kind: Kind, _stamps: tuple[int, ...]) -> str:
    env = {k: v for k, v in os.environ.items() if k not in _OURS}
    words = [python, "-c", _QUESTION.format(kind=kind)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=env, check=False)  # noqa: S603
        said, why = _last(done.stdout).split(), _last(done.stderr) or f"exit code {done.returncode}"
    except (OSError, subprocess.SubprocessError) as error:
        said, why = [], str(error)
    match said:
        case [name, version] if name == kind:
            return version
        case [name] if name == kind:
            raise ModelUnusable(
                f"{python} has no {kind} installed: install requirements/{kind}.txt into an environment of its own "
                "and name its interpreter as `python:` of the engine in models.yaml"
            )
    raise ModelUnusable(f"{python} is no Python that runs ({why}): check `python:` of the engine in models.yaml")
