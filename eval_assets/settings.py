"""What a project configures once: watched directories, suites, baselines, gates.

Read from `evals.yaml` in the current folder, or from where EVAL_CONFIG says. All of it is optional.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from eval_assets.trackers.settings import TrackerSettings
from resources.models.base import ModelUnusable
from resources.models.configured import Entry
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


CheckName: TypeAlias = Literal[
    "no_worse_than_baseline",
    "better_than_previous",
    "enough_items",
    "coverage",
    "truncated_answers",
    "judge_failures",
]


class Gate(_Strict):
    """What a cell must fulfil: fractions of 1.

    margin:       worse than the baseline by less than this passes.
    better_than_previous: whether a checkpoint must be better than the previous one of its run.
    min_coverage: share of scored samples. max_truncated: share of answers cut at the token limit.
    max_judge_failures: share of samples that the judge could not score.
    inconclusive: what a comparison that cannot tell does: pass, warn (shown, stops nothing), or fail.
    blocking:     checks whose failure fails the run; the others warn.
    """

    margin: float = 0.02
    better_than_previous: bool = False
    min_coverage: float = Field(0.95, ge=0, le=1)
    max_truncated: float = Field(0.1, ge=0, le=1)
    max_judge_failures: float = Field(0.05, ge=0, le=1)
    inconclusive: Literal["pass", "warn", "fail"] = "warn"
    blocking: tuple[CheckName, ...] = ("no_worse_than_baseline",)

    @field_validator("margin")
    @classmethod
    def _a_distance(cls, value: float) -> float:
        return check_margin(value)


def check_margin(value: float) -> float:
    """A margin of comparison as it must be given. Raises ValueError for a wrong sign, and for points."""
    if not 0 <= value < 1:
        raise ValueError(
            f"a margin is a fraction of 1 without a sign, from 0 to below 1, such as 0.02 for two points, not {value:g}"
        )
    return value


class Settings(_Strict):
    """The whole file.

    baseline: key of the checkpoint that others are compared with, or one for each task: `{default: x, mathvision: y}`
              (null: none on this task).
    gate, gates: what cells must fulfil, and what the suites named in `gates` change of it.
    judge_models: who judges, by the names that tasks use (`default` where they use none): the name of a model of
              models.yaml, or an entry as that file has them.
    """

    watch: tuple[Watch, ...] = ()
    suites: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    baseline: str | dict[str, str | None] | None = None
    gate: Gate = Gate()
    gates: dict[str, Gate] = Field(default_factory=dict)
    trackers: tuple[TrackerSettings, ...] = ()
    judge_models: dict[str, str | Entry] = Field(default_factory=dict)
    max_attempts: int = Field(3, ge=1)
    service: dict[str, Any] = Field(default_factory=dict)  # checked by `eval_service.settings`, who reads it

    @field_validator("suites", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        return {k: [v] if isinstance(v, str) else v for k, v in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _known_names(self) -> Settings:
        if isinstance(self.baseline, dict):
            _check_known("baseline", set(self.baseline) - {"default"}, {}, "task")
        _check_known("gates", set(self.gates), self.suites, "suite or task")
        return self

    def suite(self, name: str) -> tuple[str, ...]:
        """Tasks of a suite; a task's name is a suite of one."""
        if name in self.suites:
            return self.suites[name]
        from task_defs import list_tasks
        from task_defs.lmms_eval import is_lmms_eval

        if is_lmms_eval(name) or name in list_tasks():
            return (name,)
        raise SettingsError(f"no suite {name!r}: there are {', '.join(self.suites) or 'none'} in {config_path()}")

    def baseline_of(self, task: str) -> str | None:
        """Key of the checkpoint that others are compared with on this task."""
        if isinstance(self.baseline, dict):
            return self.baseline[task] if task in self.baseline else self.baseline.get("default")
        return self.baseline

    def gate_of(self, task: str, suite: str | None = None) -> Gate:
        """The gate of a cell: of the checkpoint's suite, else of the first in `gates` that holds the task.

        What that gate does not name is as in `gate`.
        """
        order = [name for name in (suite, *self.gates) if name in self.gates]
        named = next((self.gates[name] for name in order if task in self.suites.get(name, (name,))), None)
        if named is None:
            return self.gate
        return self.gate.model_copy(update={field: getattr(named, field) for field in named.model_fields_set})


def _check_known(where: str, names: set[str], suites: Mapping[str, Any], what: str) -> None:
    unknown = sorted(names - set(suites))
    if not unknown:
        return
    from difflib import get_close_matches

    from task_defs import list_tasks
    from task_defs.lmms_eval import is_lmms_eval

    known = [*suites, *list_tasks()]
    for name in unknown:
        if name not in known and not is_lmms_eval(name):
            near = get_close_matches(name, known, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(suites) or 'the tasks'}."
            raise ValueError(f"{where}: no {what} {name!r}: {hint} See `evals tasks`")


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
