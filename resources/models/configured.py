"""`models.yaml`: the engines, slots and models of a project, by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from resources.engines.options import EngineOptions
from resources.models.base import ModelUnusable

KINDS = ("vllm", "sglang")


class Entry(BaseModel):
    """A model that can be evaluated under its name; everything else in the entry is its `model_args`.

    model: an implementation (`transformers`, `openai`, `recorded`) or an engine of this file.
    source: folder, hub id, or the endpoint's name of the model.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    model: str
    source: str

    @property
    def args(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class ModelsFile(BaseModel):
    """The whole file; `vllm` and `sglang` are engines without being named in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slots: tuple[tuple[int | str, ...], ...] = ()
    engines: dict[str, dict[str, Any]] = Field(default_factory=dict)
    models: dict[str, Entry] = Field(default_factory=dict)

    def is_engine(self, name: str) -> bool:
        return name in KINDS or name in self.engines

    def engine(self, name: str, overrides: Mapping[str, Any]) -> EngineOptions:
        """An engine's options with a checkpoint's own over them. Raises ModelUnusable naming the field."""
        written = {"kind": name if name in KINDS else None, **self.engines.get(name, {}), **overrides}
        try:
            return EngineOptions.model_validate(written)
        except ValidationError as error:
            raise ModelUnusable(f"engine {name!r}: {faults(error, EngineOptions)}") from error


def models_path() -> Path:
    return Path(os.environ.get("EVAL_MODELS") or "models.yaml")


def load_models() -> ModelsFile:
    """The project's models.yaml, or EVAL_MODELS; empty where there is none. Raises ModelUnusable."""
    path = models_path()
    if not path.is_file():
        if os.environ.get("EVAL_MODELS"):
            raise ModelUnusable(f"EVAL_MODELS={path}: no such file")
        return ModelsFile()
    try:
        return ModelsFile.model_validate(yaml.safe_load(path.read_text()) or {})
    except yaml.YAMLError as error:
        raise ModelUnusable(f"{path}: {error}") from error
    except ValidationError as error:
        raise ModelUnusable(f"{path}: {faults(error, ModelsFile)}") from error


def faults(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong, each with its field and, for an unknown one, the nearest known."""
    told = []
    for one in error.errors():
        if one["loc"][-1:] == ("[key]",):
            told.append(f"a name in {one['loc'][0]} is no text: put it into quotes (YAML reads no, on and 7 otherwise)")
            continue
        field = ".".join(map(str, one["loc"])) or "it"
        near = get_close_matches(field, model.model_fields, n=1) if one["type"] == "extra_forbidden" else []
        unknown = f"there is no {field!r}" + (f", did you mean {near[0]!r}?" if near else "")
        told.append(unknown if one["type"] == "extra_forbidden" else f"{field}: {one['msg']}")
    return "; ".join(told)
