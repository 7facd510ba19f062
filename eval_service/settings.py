"""The service's part of `evals.yaml`: where it listens, who may do what, where checkpoints may lie."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from eval_assets.settings import SettingsError, config_path, load_settings
from resources.store import Store

Scope = Literal["read", "submit", "admin"]
# What a submitted job may say of a model: nothing that runs code, reads another file or calls an address.
SAFE_ARGUMENTS = frozenset({
    "pretrained", "model", "revision", "dtype", "quantization", "device", "attn_implementation", "batch_size",
    "max_length", "max_model_len", "concurrency", "tensor_parallel_size", "pipeline_parallel_size",
    "data_parallel_size", "limit_mm_per_prompt", "mm_processor_kwargs", "preset", "snapshot", "base",
    "requests_per_minute", "tokens_per_minute", "max_tokens_param", "max_total_tokens", "max_cost", "reasoning_tags",
})  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Token(_Strict):
    """A bearer token by the environment variable that holds it, or by the SHA-256 of it.

    name: of the client that has it: its jobs are its own. scopes: `submit` may read too, `admin` everything.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]
    env: str | None = None
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    scopes: tuple[Scope, ...] = ("submit",)

    @model_validator(mode="after")
    def _one_source(self) -> Token:
        if (self.env is None) == (self.sha256 is None):
            raise ValueError(f"token {self.name!r}: name either `env` or `sha256`")
        if self.env is not None and len(os.environ.get(self.env, "")) < 16:
            raise ValueError(f"token {self.name!r}: the variable {self.env} must hold at least 16 characters")
        return self


class ServiceSettings(_Strict):
    """`service:` in evals.yaml.

    host, port:  where it listens; anything but this host's loopback needs tokens.
    tokens:      without any, whoever can reach the loopback may do everything.
    roots:       folders (links resolved) and `s3://` prefixes below which a job's checkpoints may lie; the watched
                 directories always are.
    uploads:     where uploaded and fetched checkpoints are kept (default: `uploads` in a local EVAL_HOME).
    max_upload_gb: of one checkpoint; max_body_kb: of any other request.
    requests_per_minute, open_jobs: of one client.
    model_args:  arguments that a job may give beside the safe ones: `[chat_template]`.
    public_url:  where browsers reach the service, if a proxy stands before it; its host is then accepted.
    dagster_url: of Dagster's UI, for links from the pages.
    """

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    tokens: tuple[Token, ...] = ()
    roots: tuple[str, ...] = ()
    uploads: Path | None = None
    max_upload_gb: float = Field(200, gt=0)
    max_body_kb: int = Field(1024, ge=1)
    requests_per_minute: int = Field(1200, ge=1)
    open_jobs: int = Field(1000, ge=1)
    model_args: tuple[str, ...] = ()
    public_url: str = ""
    dagster_url: str = "http://127.0.0.1:3000"

    @model_validator(mode="after")
    def _guarded(self) -> ServiceSettings:
        if not self.tokens and not self.is_loopback:
            raise ValueError(f"host {self.host} can be reached from elsewhere: configure `tokens` (docs/service.md)")
        names = [token.name for token in self.tokens]
        if len(names) != len(set(names)):
            raise ValueError("two tokens have the same name")
        return self

    @property
    def is_loopback(self) -> bool:
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def arguments(self) -> frozenset[str]:
        return SAFE_ARGUMENTS | set(self.model_args)

    def uploads_folder(self, store: Store) -> Path:
        """Where uploads lie. Raises SettingsError where nothing says so."""
        if self.uploads is not None:
            return self.uploads.expanduser().absolute()
        if store.is_local:
            return Path(store.root) / "uploads"
        raise SettingsError("EVAL_HOME is no local path: set service.uploads to a folder for uploaded checkpoints")


def load_service_settings() -> ServiceSettings:
    """Raises SettingsError, naming file and field."""
    try:
        return ServiceSettings.model_validate(load_settings().service)
    except ValidationError as error:
        faults = "; ".join(".".join(map(str, ("service", *e["loc"]))) + f": {e['msg']}" for e in error.errors())
        raise SettingsError(f"{config_path()}: {faults}") from error
