"""How an engine is started, as `models.yaml` says it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["vllm", "sglang"]


class EngineOptions(BaseModel):
    """An inference server of somebody else, run from an environment of its own.

    python:   the interpreter that the engine is installed for (default: `.venv-<kind>/bin/python`).
    command:  instead of it, the words before the flags (`[docker, run, ...]`); then `version` is
              yours to say, because nothing can be asked.
    dtype, quantization, max_model_len, limit_mm_per_prompt, chat_template, mm_processor_kwargs,
    extra_args: change answers and are part of every request key. `extra_args` is passed on verbatim.
    tuning_args: passed on verbatim too, for flags that change no answer (batch sizes, memory).
    chunked_prefill: long prompts in pieces, so that short ones do not wait for them.
    memory_fraction: of each GPU's memory; of the host's on a CPU, where the engine knows such a thing.
    media_as_files: vLLM reads pictures and videos from files that we write for it, and no request carries
              them (default: where `python` starts it, so that it sees our disk).
    replicas: how many slots share a cell's requests; questions on one picture go to one of them.
    concurrency: requests in flight per replica. start_timeout: seconds until it must be healthy.
    idle_minutes: after which an engine that nobody wants is stopped.
    swap: load the next checkpoint into the running engine, where `evals engines qualify-swap` has
          shown that its answers are then those of a cold start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    kind: Kind
    python: str | None = None
    command: tuple[str, ...] = ()
    version: str | None = None
    env: dict[str, str] = Field(default_factory=dict)

    tensor_parallel_size: int = Field(1, ge=1)
    pipeline_parallel_size: int = Field(1, ge=1)
    data_parallel_size: int = Field(1, ge=1)

    dtype: str = "auto"
    quantization: str | None = None
    max_model_len: int | None = Field(None, ge=1)
    limit_mm_per_prompt: dict[str, int] = Field(default_factory=dict)
    chat_template: str | None = None
    mm_processor_kwargs: dict[str, Any] = Field(default_factory=dict)
    extra_args: tuple[str, ...] = ()

    tuning_args: tuple[str, ...] = ()
    chunked_prefill: bool = True
    memory_fraction: float | None = Field(None, gt=0, le=1)

    media_as_files: bool | None = None
    concurrency: int = Field(64, ge=1)
    replicas: int = Field(1, ge=1)
    start_timeout: float = Field(1800, gt=0)
    idle_minutes: float = Field(10, gt=0)
    swap: bool = True

    @model_validator(mode="after")
    def _one_way_to_start(self) -> EngineOptions:
        if self.python and self.command:
            raise ValueError("say either `python` or `command`, not both")
        if self.command and not self.version:
            raise ValueError("with `command`, say which `version` of the engine it starts: it is part of the cache key")
        return self

    @property
    def shares_disk(self) -> bool:
        """Whether media go by files; SGLang is sent them."""
        return self.kind == "vllm" and (not self.command if self.media_as_files is None else self.media_as_files)

    @property
    def devices(self) -> int:
        """GPUs that one engine takes."""
        return self.tensor_parallel_size * self.pipeline_parallel_size * self.data_parallel_size

    def answering(self) -> dict[str, Any]:
        """The settings that change answers, as they enter a request key. A template counts by its content."""
        found: dict[str, Any] = {
            "dtype": self.dtype,
            "quantization": self.quantization,
            "max_model_len": self.max_model_len,
            "limit_mm_per_prompt": self.limit_mm_per_prompt,
            "mm_processor_kwargs": self.mm_processor_kwargs,
            "extra_args": list(self.extra_args),
            "chat_template": self.chat_template and _content(self.chat_template),
        }
        return {name: value for name, value in found.items() if value not in (None, {}, [])}


def _content(path: str) -> str:
    return hashlib.sha256(Path(path).expanduser().read_bytes()).hexdigest()[:32]
