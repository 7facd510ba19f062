"""What a project configures once: watched directories, suites, the baseline, the gate.

Read from `evals.yaml` in the current folder, or from where EVAL_CONFIG says. All of it is optional.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from resources.models.base import ModelUnusable
from resources.models.conversion import DEFAULT_TIMEOUT, check_command


class SettingsError(ValueError):
    """The configuration file is wrong; the message names file, field and what was expected."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Watch(_Strict):
    """A directory whose sub-folders are checkpoints as they are written.

    path:     of the directory; suite: which tasks a checkpoint gets; pattern: folder names (glob).
    run:      name of the run in checkpoint keys `<run>.<step>` (default: the directory's name).
    interval: seconds between looks. settle: seconds for which nothing may have changed.
    convert:  a program that makes a Hugging Face folder of a checkpoint, `{source}` and `{target}` in its
              words; convert_timeout: seconds that it may take.
    hold:     keep a file beside each checkpoint that is still to be evaluated (docs/checkpoints.md).
    """

    path: Path
    suite: str
    pattern: str = "*"
    run: str = ""
    interval: int = Field(30, ge=1)
    settle: float = Field(0.0, ge=0)
    model: str = "transformers"
    model_args: dict[str, Any] = Field(default_factory=dict)
    priority: int = 0
    convert: tuple[str, ...] = ()
    convert_timeout: float = Field(DEFAULT_TIMEOUT, gt=0)
    hold: bool = False

    @field_validator("convert", mode="before")
    @classmethod
    def _command(cls, value: Any) -> Any:
        try:
            return check_command(value) if value else ()
        except ModelUnusable as error:
            raise ValueError(str(error)) from error

    @property
    def arguments(self) -> dict[str, Any]:
        """The model arguments of its checkpoints."""
        named = {"convert": list(self.convert), "convert_timeout": self.convert_timeout} if self.convert else {}
        return {**self.model_args, **named}

    @property
    def run_name(self) -> str:
        return self.run or self.path.resolve().name

    @property
    def name(self) -> str:
        """Of the sensor."""
        return "watch_" + "".join(c if c.isalnum() else "_" for c in self.run_name)


class Gate(_Strict):
    """What stops a checkpoint: fractions of 1.

    margin:       worse than the baseline by less than this passes.
    min_coverage: share of scored samples. max_truncated: share of answers cut at the token limit.
    max_judge_failures: share of samples that the judge could not score.
    """

    margin: float = Field(0.02, ge=0)
    min_coverage: float = Field(0.95, ge=0, le=1)
    max_truncated: float = Field(0.1, ge=0, le=1)
    max_judge_failures: float = Field(0.05, ge=0, le=1)
    inconclusive: str = Field("pass", pattern="^(pass|fail)$")


class Settings(_Strict):
    """The whole file. baseline: a checkpoint's key that others are compared with."""

    watch: tuple[Watch, ...] = ()
    suites: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    baseline: str | None = None
    gate: Gate = Gate()
    max_attempts: int = Field(3, ge=1)

    @field_validator("suites", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        return {k: [v] if isinstance(v, str) else v for k, v in value.items()} if isinstance(value, dict) else value

    def suite(self, name: str) -> tuple[str, ...]:
        """Tasks of a suite; a task's name is a suite of one."""
        if name in self.suites:
            return self.suites[name]
        from task_defs import list_tasks

        if name in list_tasks():
            return (name,)
        raise SettingsError(f"no suite {name!r}: there are {', '.join(self.suites) or 'none'} in {config_path()}")


def config_path() -> Path:
    return Path(os.environ.get("EVAL_CONFIG") or "evals.yaml")


def load_settings() -> Settings:
    """The project's settings; defaults where there is no file. Raises SettingsError."""
    path = config_path()
    if not path.is_file():
        if os.environ.get("EVAL_CONFIG"):
            raise SettingsError(f"EVAL_CONFIG={path}: no such file")
        return Settings()
    try:
        return Settings.model_validate(yaml.safe_load(path.read_text()) or {})
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"{path}: {faults}") from error
