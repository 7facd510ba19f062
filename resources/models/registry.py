"""Model implementations by name, with their arguments checked; nothing heavy is imported before use."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from resources.models.base import LMM, ModelUnusable

# name: (class, the parameter that `source` goes to). vllm and sglang take their seat here.
_CLASSES = {
    "transformers": ("resources.models.transformers:TransformersModel", "pretrained"),
    "openai": ("resources.models.openai:OpenAIModel", "model"),
    "recorded": ("resources.models.recorded:RecordedModel", "uri"),
}


def model_names() -> list[str]:
    return sorted(_CLASSES)


def build_model(name: str, source: str, args: Mapping[str, Any], *, task: str) -> LMM:
    """The model, not loaded yet: enter it with `async with`.

    Raises ModelUnusable for an unknown name or argument, naming the ones there are.
    """
    path, source_parameter = _CLASSES[check_model(name)]
    module, attribute = path.split(":")
    cls = getattr(importlib.import_module(module), attribute)
    known = set(inspect.signature(cls).parameters)
    arguments = {k: v for k, v in args.items() if k != source_parameter}
    unknown = sorted(set(arguments) - known)
    if unknown:
        hint = get_close_matches(unknown[0], known, n=1)
        also = f" (did you mean {hint[0]!r}?)" if hint else ""
        raise ModelUnusable(
            f"--model {name} takes no argument {unknown[0]!r}{also}; it takes {', '.join(sorted(known))}"
        )
    if "task" in known:
        arguments["task"] = task
    model: LMM = cls(source, **arguments)
    return model


def check_model(name: str) -> str:
    """The name itself, or ModelUnusable with the nearest ones."""
    if name not in _CLASSES:
        if name in {"vllm", "sglang"}:
            raise ModelUnusable(
                f"{name} runs as a server in an environment of its own (see requirements/{name}.txt): start it, then "
                "--model openai --model-args model=NAME,base_url=http://127.0.0.1:8000/v1"
            )
        near = get_close_matches(name, _CLASSES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "no such implementation"
        raise ModelUnusable(f"unknown model {name!r}: {hint} There are {', '.join(model_names())}.")
    return name


def source_of(name: str, args: Mapping[str, Any]) -> str | None:
    """The source that model arguments name (`pretrained=...`, `model=...`), if they do."""
    value = args.get(_CLASSES[check_model(name)][1])
    return None if value is None else str(value)
