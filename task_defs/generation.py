"""Generation parameters: lmms-eval's spellings in, the names of a request out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from task_defs.errors import fault

_SPELLINGS = {"max_new_tokens": "max_tokens", "max_gen_toks": "max_tokens", "until": "stop"}


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) and v for v in value):
        raise ValueError("expected text or a list of non-empty texts")
    return tuple(value)


# What the engines themselves pass to a chat template.
_TEMPLATE_OWN = (
    "messages",
    "conversation",
    "chat_template",
    "tokenize",
    "add_generation_prompt",
    "continue_final_message",
)


def _template_arguments(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError("expected a mapping of names to values, such as {enable_thinking: false}")
    for name in value:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"expected names, found {name!r}")
        if name in _TEMPLATE_OWN:
            raise ValueError(f"'{name}' is not a template's own argument: the engine sets it")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected values that JSON has ({error})") from error
    return dict(value)


class GenerationKwargs(BaseModel):
    """How answers are sampled. Greedy unless told otherwise, as in lmms-eval.

    max_tokens is also accepted as `max_new_tokens`, stop as `until`. `do_sample: false` means
    temperature 0; `do_sample: true` without a temperature means 1. None: the engine's default.
    chat_template_kwargs: variables of the model's chat template, such as `enable_thinking`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_tokens: Annotated[int, Field(strict=True, ge=1)] | None = None
    temperature: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = 0.0
    top_p: Annotated[float, Field(strict=True, gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(strict=True, ge=-1)] | None = None
    stop: Annotated[tuple[str, ...], BeforeValidator(_texts)] = ()
    seed: Annotated[int, Field(strict=True)] | None = None
    chat_template_kwargs: Annotated[dict[str, Any], BeforeValidator(_template_arguments)] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _translate(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        found = dict(data)
        for theirs, ours in _SPELLINGS.items():
            if theirs in found:
                if ours in found:
                    raise fault(theirs, f"says the same as {ours}: keep one of them")
                found[ours] = found.pop(theirs)
        if found.pop("num_beams", 1) != 1:
            raise fault("num_beams", "expected 1: the engines sample, they search no beams")
        sample = found.pop("do_sample", None)
        if sample not in (None, True, False):
            raise fault("do_sample", f"expected true or false, found {sample!r}")
        if found.get("temperature") is None:
            found["temperature"] = 1.0 if sample else 0.0
        elif sample is True and found["temperature"] == 0:
            raise fault("do_sample", "true contradicts temperature 0")
        elif sample is False:
            found["temperature"] = 0.0  # as in Hugging Face generate: the temperature is not used
        return found

    @classmethod
    def overrides(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """What was named, checked, in our names: the defaults of the others are the task's to set."""
        if not given:
            return {}
        checked = cls.model_validate(given).to_dict()
        ours = (_SPELLINGS.get(name, "temperature" if name == "do_sample" else name) for name in given)
        return {name: checked[name] for name in ours if name in checked}

    def to_dict(self) -> dict[str, Any]:
        """What is set, JSON-able: `max_tokens`, `temperature`, ..., by the names of the fields."""
        found = {k: v for k, v in self.model_dump().items() if v is not None and v not in ((), {})}
        if "stop" in found:
            found["stop"] = list(found["stop"])
        return found
