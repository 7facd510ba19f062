"""The contract between an evaluation and a model: instances in, responses out as they complete."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar


@dataclass(frozen=True)
class Media:
    """Bytes of one picture, video or sound, exactly as the data set holds them.

    Instances about the same medium share one object, so that it is encoded once.
    seconds: of a frame: its time since the video's first one.
    """

    data: bytes
    mime: str
    sha: str = ""
    seconds: float | None = None

    @property
    def kind(self) -> str:
        return self.mime.split("/", 1)[0]

    @cached_property
    def data_url(self) -> str:
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode('ascii')}"


# One part of a message: ("text", str) or ("media", index into Instance.media_list).
Part = tuple[str, str | int]


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """One request to a model.

    id:            returned with the response as it is; the caller's to choose.
    prompt:        the text of a single user turn; media stand before it. Ignored with `messages`.
    messages:      a whole conversation, where media are placed exactly.
    media_list:    the media that the parts refer to by index.
    gen_kwargs:    `max_tokens`, `temperature`, `top_p`, `top_k`, `stop` (list of str), `seed`.
    continuations: for `loglikelihood`: the texts whose log-probabilities are asked for.
    refused:       why it cannot be asked at all (its video cannot be decoded): see `unless_refused`.
    item_id, sample: which question and which of its samples this is (recorded answers go by it).
    """

    prompt: str = ""
    media_list: Sequence[Media] = ()
    gen_kwargs: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    continuations: tuple[str, ...] = ()
    id: str = ""
    item_id: str = ""
    sample: int = 0
    refused: ResponseError | None = None

    def turns(self) -> tuple[Message, ...]:
        """The conversation: `messages`, or the prompt as one user turn with its media first."""
        if self.messages:
            return self.messages
        media: tuple[Part, ...] = tuple(("media", i) for i in range(len(self.media_list)))
        return (Message("user", (*media, ("text", self.prompt))),)


# What is wrong with a request itself: asking again gives the same, so it is kept as a row. Every
# other kind (timeout, rate_limit, server, connection, bad_request, invalid_response, ...) is about
# the way to the model: nothing is kept, and the next run asks again.
PERMANENT = frozenset(
    {"too_long", "refused", "bad_media", "unsupported_media", "not_recorded", "failed_there", "environment"}
)


@dataclass(frozen=True, slots=True)
class ResponseError:
    """Why there is no answer. `retryable` ones may pass; the others belong to the request."""

    kind: str
    message: str
    retryable: bool


class ModelUnusable(RuntimeError):
    """Nothing can be answered by this model as it is configured; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back for one instance.

    finish_reason: `stop`, `length`, `content_filter`, or `error`.
    usage:         `prompt_tokens`, `completion_tokens`; some of the former, `cached_tokens`, and of the
                   latter, `reasoning_tokens`, where known.
    timings:       seconds: `total`, `first_token` where known, `queued` ...
    loglikelihoods: natural-log probability of each continuation, in their order.
    continuation_tokens: how many tokens each of them has, where known.
    reasoning:     what it thought before it answered, which is no part of `text`.
    reasoning_in_text: whether that stood before the answer in the text; `reasoning + text` is then the
                   text as it came (`resources.models.reasoning`).
    served_by:     the model that the reply names, with `+` and its system fingerprint where it has one.
    kv_use:        share of the engine's KV cache that all its requests held while this one was under way; None:
                   not known.
    """

    id: str
    text: str = ""
    finish_reason: str = "stop"
    usage: Mapping[str, int] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    loglikelihoods: tuple[float, ...] | None = None
    error: ResponseError | None = None
    continuation_tokens: tuple[int, ...] | None = None
    reasoning: str = ""
    reasoning_in_text: bool = False
    served_by: str = ""
    kv_use: float | None = None


Requests = Iterable[Instance] | AsyncIterable[Instance]


class LMM(ABC):
    """A large multimodal model. Use as an async context manager: `async with model: ...`.

    Both methods take an iterable or an async iterable, read it no further ahead than they can
    work on (a bounded prefetch), and yield each response as soon as it is there, in any order.
    They answer a failed request with a `Response` that carries an `error`; they raise only when
    nothing at all can be answered (wrong key, no such model, endpoint down for good).

    no_loglikelihood: why this model has no log-likelihoods, as a message that says what to do; it is
        looked at before anything is read, loaded or asked. "": it has them.
    no_video: likewise, why it takes no whole videos.
    """

    no_loglikelihood: ClassVar[str] = ""
    no_video: ClassVar[str] = ""

    @abstractmethod
    def generate_until(self, requests: Requests) -> AsyncGenerator[Response, None]:
        """Text for every instance."""

    @abstractmethod
    def loglikelihood(self, requests: Requests) -> AsyncGenerator[Response, None]:
        """`Response.loglikelihoods`: the summed token log-probability of each continuation.

        Natural logarithms, so never above 0; a less likely continuation has the lower value.
        """

    @property
    @abstractmethod
    def engine(self) -> Mapping[str, Any]:
        """Engine name, version and the settings that change answers: part of each request key."""

    @property
    def observed(self) -> Mapping[str, Any]:
        """What was seen while it answered (cache hits, speed, idle seconds), once it has been left."""
        return {}

    async def kv_use(self) -> float | None:
        """Share of the engine's KV cache that is in use now, by all its requests; None where that is not told."""
        return None

    async def __aenter__(self) -> LMM:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None


async def aiter_requests(requests: Requests) -> AsyncIterator[Instance]:
    """Either kind of iterable as an async one."""
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
