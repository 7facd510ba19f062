"""Parameters that all judges that ask a model have."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from judges.base import TextParams
from judges.prompt import prompt_text, template_text


class LLMParams(TextParams):
    """Parameters that both asked judges have.

    model:      name of a judge model (`judge_models:` of evals.yaml, or models.yaml); several are a panel.
    samples:    K answers of each judge model to each question (with a temperature they differ).
    prompt, system: a name from `judges/prompts/`, a file (`.j2`) beside the task's YAML, or the template itself.
    question, reference: Jinja over the item's `doc` and `target`. needs_reference: an item without a label is
                unscored.
    rubric:     what counts, for the built-in prompts; Jinja over `doc`.
    generation: how the judge model generates. structured: whether it is held to a JSON schema (`response_format`).
    refusals:   what becomes of an answer that is an outright refusal: `wrong` without asking, or `ask`.
    media:      whether the judge sees the item's pictures, which come before the last message's text.
    human:      Jinja for a human's verdict on the answer that is judged, where the data have one (and then only one
                model's answers).
    """

    model: tuple[str, ...] = ("default",)
    samples: int = Field(1, ge=1, le=100)
    prompt: str = ""
    system: str = ""
    question: str = "{{ doc.question }}"
    reference: str | None = "{{ target }}"
    needs_reference: bool = True
    rubric: str = ""
    generation: dict[str, Any] = Field(default_factory=lambda: {"temperature": 0, "max_tokens": 1024})
    structured: bool = True
    refusals: Literal["wrong", "ask"] = "wrong"
    media: bool = False
    human: str | None = None

    @field_validator("model", mode="before")
    @classmethod
    def _panel(cls, value: Any) -> Any:
        names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
        if not names or not all(isinstance(n, str) and re.fullmatch(r"[\w.-]+", n) for n in names):
            raise ValueError("expected the name of a judge model, or a list of names (letters, digits, '_', '-', '.')")
        if len({column(n) for n in names}) < len(names):
            raise ValueError("a judge model stands here twice: for several answers of one, set `samples`")
        return names

    @field_validator("prompt", "system")
    @classmethod
    def _prompt(cls, value: str) -> str:
        return prompt_text(value)

    @field_validator("question", "reference", "rubric", "human")
    @classmethod
    def _template(cls, value: str | None) -> str | None:
        return value if value is None else template_text(value)


def column(model: str) -> str:
    """The component that holds one judge model's score: letters that a table's column can have."""
    return "by_" + re.sub(r"\W", "_", model)
