"""Conversations → what a processor of Transformers takes: rendered text and decoded pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from resources.models.base import Media, Message
from resources.models.loglikelihood import continued, own_tokens
from resources.models.pictures import BadPicture, decode_picture

# Pictures kept decoded: questions about one picture follow each other.
KEPT_PICTURES = 16


class Refused(Exception):
    """One request that cannot be answered, and why; the others go on."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered conversation: text with a placeholder for each picture, and the pictures."""

    text: str
    pictures: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """A prompt together with one continuation of it.

    tokens:  the tokens at its end that are the continuation's.
    context: every token but the last, with a placeholder for each picture.
    """

    prompt: Prompt
    tokens: tuple[int, ...]
    context: tuple[int, ...]

    @property
    def shared(self) -> tuple[Any, ...]:
        """Equal for choices that differ in their last token only: one pass of the model does for all."""
        return (self.context, tuple(id(picture) for picture in self.prompt.pictures))


class Prompts:
    """Makes prompts for one processor, or for a tokenizer where the model knows no pictures."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.tokenizer = getattr(processor, "tokenizer", processor)
        # Prompts that are too long are refused in plain words, see Runner; no warning beside them.
        self.tokenizer.model_max_length = 1 << 60
        self.sees_pictures = hasattr(processor, "image_processor")
        self._picture = lru_cache(maxsize=KEPT_PICTURES)(decode_picture)
        self._template = getattr(processor, "chat_template", None) or self.tokenizer.chat_template

    @cached_property
    def add_special_tokens(self) -> bool:
        """Whether tokenizing a rendered conversation adds the tokenizer's own first tokens.

        As Transformers does it: never to a tokenizer's template, which writes what it wants; to a
        processor's unless the template begins with the first token itself.
        """
        if not self._template:
            return True
        bos = self.tokenizer.bos_token
        rendered = self._render([Message("user", (("text", "?"),))])
        return self.sees_pictures and not (bos and rendered.startswith(bos))

    def prompt(
        self, turns: Sequence[Message], media: Sequence[Media], template: Mapping[str, Any] | None = None
    ) -> Prompt:
        """Render a conversation. An assistant turn at its end is continued, not closed.

        template: variables of the chat template, such as `enable_thinking`.
        Raises Refused for media that this backend or this model cannot take.
        """
        pictures = tuple(self._media(media[int(i)]) for turn in turns for kind, i in turn.parts if kind == "media")
        text = self._render(turns, template)
        token = getattr(self.processor, "image_token", None)
        if token and text.count(token) != len(pictures):
            said = text.count(token)
            raise Refused("bad_request", f"{len(pictures)} pictures, but the prompt has {token} {said} times")
        return Prompt(text, pictures)

    def choice(
        self,
        turns: Sequence[Message],
        media: Sequence[Media],
        continuation: str,
        template: Mapping[str, Any] | None = None,
    ) -> Choice:
        """A continuation after a conversation; its tokens are those that the prompt does not have.

        The conversation with and without it is rendered by the chat template and tokenized whole,
        so a token that spans the border is the one that the model would read.
        """
        before = self.prompt(turns, media, template)
        whole = self.prompt(continued(turns, continuation), media, template)
        ids = self._ids(whole.text)
        try:
            own = own_tokens(self._ids(before.text), ids, continuation)
        except ValueError as error:
            raise Refused("bad_request", str(error)) from error
        return Choice(whole, tuple(ids[-own:]), tuple(ids[:-1]))

    def encode(self, prompts: Sequence[Prompt], side: str) -> dict[str, Any]:
        """Tensors of a batch, padded on the `left` or the `right`.

        Raises Refused where the processor does not take one of the prompts.
        """
        import torch

        arguments: dict[str, Any] = {
            "text": [prompt.text for prompt in prompts],
            "padding": True,
            "padding_side": side,
            "return_tensors": "pt",
            "add_special_tokens": self.add_special_tokens,
        }
        if any(prompt.pictures for prompt in prompts):
            arguments["images"] = [list(prompt.pictures) for prompt in prompts]
        try:
            inputs = self.processor(**arguments)
        except (ValueError, TypeError, IndexError, KeyError) as error:
            raise Refused("bad_request", f"{type(self.processor).__name__}: {error}") from error
        # PaliGemma's processor always adds labels, with which the model would compute a training loss.
        return {name: v for name, v in inputs.items() if isinstance(v, torch.Tensor) and name != "labels"}

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=self.add_special_tokens)["input_ids"]
        return ids

    def _media(self, media: Media) -> Any:
        if media.kind != "image":
            raise Refused(
                "unsupported_media", f"{media.mime} is not supported by this backend: {instead_of(media.kind)}"
            )
        if not self.sees_pictures:
            raise Refused("unsupported_media", "this model takes text only: it cannot see a picture")
        try:
            return self._picture(media)
        except BadPicture as error:
            raise Refused("bad_media", str(error)) from error

    def _read_by_template(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Those that the template names: Transformers takes others for the processor's, and warns each time."""
        text = self._template if isinstance(self._template, str) else None
        return {name: value for name, value in arguments.items() if text is None or re.search(rf"\b{name}\b", text)}

    def _render(self, turns: Sequence[Message], template: Mapping[str, Any] | None = None) -> str:
        if not self._template:
            token = getattr(self.processor, "image_token", "")
            lines = ["".join(token if k == "media" else str(v) for k, v in turn.parts) for turn in turns]
            return "\n".join(lines)
        content: Callable[[Message], Any] = _content_parts if self.sees_pictures else _content_text
        last = turns[-1].role == "assistant"
        try:
            rendered: str = self.processor.apply_chat_template(
                [{"role": turn.role, "content": content(turn)} for turn in turns],
                chat_template=self._template if isinstance(self._template, str) else None,
                tokenize=False,
                add_generation_prompt=not last,
                continue_final_message=last,
                **self._read_by_template(template or {}),
            )
        except Exception as error:  # a template is a program of its author's and may raise anything
            raise Refused("bad_request", f"the chat template does not take this conversation: {error}") from error
        return rendered


def instead_of(kind: str) -> str:
    """What to do with a medium of a kind that this backend does not take."""
    if kind == "video":
        return (
            "send frames of it (`video: {mode: frames, num_frames: 8}` in the task), or use an engine that takes video"
        )
    return "use an engine or an endpoint that takes it"


def _content_parts(turn: Message) -> list[dict[str, str]]:
    return [
        {"type": "image"} if kind == "media" else {"type": "text", "text": str(value)} for kind, value in turn.parts
    ]


def _content_text(turn: Message) -> str:
    return "\n".join(str(value) for kind, value in turn.parts if kind == "text")
