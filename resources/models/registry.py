"""Model implementations by name, with their arguments checked; nothing heavy is imported before use."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from resources.models import picture_tokens
from resources.models.base import LMM, ModelUnusable
from resources.models.configured import KINDS, load_models

# name: (class, the parameter that `source` goes to). Beside them: the engines of models.yaml.
_CLASSES = {
    "transformers": ("resources.models.transformers:TransformersModel", "pretrained"),
    "openai": ("resources.models.openai:OpenAIModel", "model"),
    "recorded": ("resources.models.recorded:RecordedModel", "uri"),
    "baseline": ("resources.models.baseline:BaselineModel", "policy"),
}
# What is done with the answers of any model, or known of what it is asked, and is no model's own business.
_OF_EVERY_MODEL = {"reasoning_tags", *picture_tokens.ARGS}
_ENGINE_SOURCE = "pretrained"  # the name that lmms-eval gives it


def model_names() -> list[str]:
    return sorted({*_CLASSES, *KINDS, *load_models().engines})


def build_model(
    name: str,
    source: str,
    args: Mapping[str, Any],
    *,
    task: str,
    label: str = "",
    fingerprint: str = "",
    log: Callable[[str], None] = lambda line: None,
) -> LMM:
    """The model, not loaded yet: enter it with `async with`.

    label, fingerprint: of the checkpoint, for engines that several cells share. log: gets lines on
    what an engine does while a cell waits for it.
    Raises ModelUnusable for an unknown name or argument, naming the ones there are.
    """
    if check_model(name) not in _CLASSES:
        return _served(name, source, args, label, fingerprint, log)
    path, source_parameter = _CLASSES[name]
    module, attribute = path.split(":")
    cls = getattr(importlib.import_module(module), attribute)
    known = set(inspect.signature(cls).parameters) - {"log"}
    arguments = {k: v for k, v in args.items() if k != source_parameter and k not in _OF_EVERY_MODEL}
    unknown = sorted(set(arguments) - known)
    if unknown:
        hint = get_close_matches(unknown[0], known, n=1)
        also = f" (did you mean {hint[0]!r}?)" if hint else ""
        raise ModelUnusable(
            f"--model {name} takes no argument {unknown[0]!r}{also}; it takes {', '.join(sorted(known))}"
        )
    if "task" in known:
        arguments["task"] = task
    if "log" in inspect.signature(cls).parameters:
        arguments["log"] = log
    model: LMM = cls(source, **arguments)
    return model


def _served(
    name: str, source: str, args: Mapping[str, Any], label: str, fingerprint: str, log: Callable[[str], None]
) -> LMM:
    from resources.models.merging import WEIGHT_ARGS
    from resources.models.served import ServedModel

    project = load_models()
    weights = {k: v for k, v in args.items() if k in WEIGHT_ARGS}
    overrides = {k: v for k, v in args.items() if k not in {_ENGINE_SOURCE, *WEIGHT_ARGS, *_OF_EVERY_MODEL}}
    return ServedModel(
        source, project.engine(name, overrides), label=label, fingerprint=fingerprint, weight_args=weights,
        configured_slots=project.slots, log=log,
    )  # fmt: skip


def check_model(name: str) -> str:
    """The name itself, or ModelUnusable with the nearest ones."""
    if name in _CLASSES or load_models().is_engine(name):
        return name
    near = get_close_matches(name, model_names(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "no such implementation or engine."
    raise ModelUnusable(f"unknown model {name!r}: {hint} There are {', '.join(model_names())}.")


def source_of(name: str, args: Mapping[str, Any]) -> str | None:
    """The source that model arguments name (`pretrained=...`, `model=...`), if they do."""
    parameter = _CLASSES[name][1] if check_model(name) in _CLASSES else _ENGINE_SOURCE
    value = args.get(parameter)
    return None if value is None else str(value)
