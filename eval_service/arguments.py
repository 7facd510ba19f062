"""Model arguments of a submitted job: which there may be, and of what kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from eval_service.settings import ServiceSettings

# Engines get them as words of a command line, libraries as names: none may look like a flag or a path.
_WORD = re.compile(r"[A-Za-z0-9][\w.:+-]{0,199}")
_REVISION = re.compile(r"[A-Za-z0-9][\w./+-]{0,199}")
# Any other name is a kernel of the model hub to transformers, that is code.
_ATTENTION = ("eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention")
_NUMBERS = frozenset({
    "batch_size", "max_length", "max_model_len", "concurrency", "tensor_parallel_size", "pipeline_parallel_size",
    "data_parallel_size", "requests_per_minute", "tokens_per_minute", "max_total_tokens", "max_cost",
})  # fmt: skip
_MAPPINGS = frozenset({"limit_mm_per_prompt", "mm_processor_kwargs"})
_SOURCES = frozenset({"pretrained", "model", "base"})


class Refused(ValueError):
    """The job asks for something that this service does not do; the message says what to change."""


def check_arguments(args: Mapping[str, Any], settings: ServiceSettings) -> None:
    """Raises Refused. What the operator has added in `service.model_args` is taken as it is."""
    unsafe = sorted(set(args) - settings.arguments)
    if unsafe:
        raise Refused(
            f"model_args: {', '.join(unsafe)} cannot be given by a job. Put the model into models.yaml on the "
            "server, or add the argument to service.model_args in evals.yaml"
        )
    for name, value in args.items():
        if name not in settings.model_args and (wanted := _fault(name, value)):
            raise Refused(f"model_args: {name} takes {wanted}, not {repr(value)[:80]}")


def _fault(name: str, value: Any) -> str:
    """What the argument takes, where this is not it."""
    if name in _SOURCES:
        return "" if isinstance(value, str) and value.isprintable() and 0 < len(value) <= 1000 else "a text"
    if name in _NUMBERS:
        auto = name == "batch_size" and value == "auto"
        return "" if auto or (isinstance(value, (int, float)) and not isinstance(value, bool)) else "a number"
    if name in _MAPPINGS:
        return "" if isinstance(value, dict) else "a mapping"
    if name == "reasoning_tags":
        return ""  # compared with answers, and handed to nothing
    if name == "attn_implementation":
        return "" if value in _ATTENTION else "one of " + ", ".join(_ATTENTION)
    pattern = _REVISION if name == "revision" else _WORD
    return "" if isinstance(value, str) and pattern.fullmatch(value) else "a plain name"
