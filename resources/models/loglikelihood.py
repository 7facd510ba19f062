"""Log-likelihoods of continuations over HTTP: what the wires of all engines share."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resources.models.base import Instance, Message, ModelUnusable, Response, ResponseError

# (path from the server's root, JSON body) -> body of the reply. Attempts and waits are its own
# business; it raises Unanswered once it gives up, and ModelUnusable where no request can succeed.
Post = Callable[[str, bytes], Awaitable[bytes]]
# (conversation, further fields) -> JSON body of a chat completion.
Body = Callable[[Instance, Mapping[str, Any]], bytes]

_ROUNDING = 1e-3  # a log-probability of 0 may come back a little above it


class Unanswered(Exception):
    """One request that got no answer, and why; the others go on."""

    def __init__(self, error: ResponseError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True, slots=True)
class Scored:
    """One continuation.

    value:         natural-log probability, summed over its tokens; never above 0.
    tokens:        how many it has.
    prompt_tokens: how many stand before them, media expanded.
    cached_tokens: of those, how many the engine had computed before; None: it does not say.
    """

    value: float
    tokens: int
    prompt_tokens: int
    cached_tokens: int | None = None


def poster(ask: Callable[..., Awaitable[Response]], request: Instance) -> Post:
    """A Post for one request from `OpenAIModel._asked`, with its retries, limits and errors.

    ask: (request, path, body, parse) -> Response, where parse makes a Response of (id, body of the reply).
    """

    async def post(path: str, body: bytes) -> bytes:
        replies: list[bytes] = []

        def keep(request_id: str, content: bytes) -> Response:
            replies.append(content)
            return Response(request_id, timings={})

        response = await ask(request, path, body, keep)
        if response.error is not None:
            raise Unanswered(response.error)
        return replies[-1]

    return post


def continued(turns: Sequence[Message], continuation: str) -> tuple[Message, ...]:
    """The conversation with the continuation in an assistant turn, after what that has already."""
    last = turns[-1]
    if last.role == "assistant" and last.parts and last.parts[-1][0] == "text":
        text = f"{last.parts[-1][1]}{continuation}"
        return (*turns[:-1], Message("assistant", (*last.parts[:-1], ("text", text))))
    return (*turns, Message("assistant", (("text", continuation),)))


def own_tokens(before: Sequence[int], whole: Sequence[int], continuation: str) -> int:
    """How many of the tokens at the end of `whole` are the continuation's.

    before, whole: the conversation without and with it, each tokenized as one text. Its tokens are
    those after their longest common beginning, so a token that spans the border counts as the
    continuation's: it is the one that the model would read.

    Raises ValueError for a continuation without tokens of its own, or without any before it.
    """
    shorter = min(len(before), len(whole))
    common = next((n for n in range(shorter) if before[n] != whole[n]), shorter)
    if common == len(whole):
        raise ValueError(f"the continuation {continuation!r} has no tokens of its own")
    if common == 0:
        raise ValueError("a continuation needs a prompt before it")
    return len(whole) - common


def total(logprobs: Sequence[float]) -> float:
    """The sum of log-probabilities of tokens. Raises ModelUnusable where they are none."""
    if any(value > _ROUNDING for value in logprobs):
        raise ModelUnusable(
            "the engine gives logits in place of log-probabilities: start vLLM with --logprobs-mode raw_logprobs"
        )
    return min(0.0, math.fsum(logprobs))


def response_of(request: Instance, scored: Sequence[Scored]) -> Response:
    """One response for all continuations of a request, in their order."""
    usage = {"prompt_tokens": max((s.prompt_tokens for s in scored), default=0)}
    cached = [s.cached_tokens for s in scored if s.cached_tokens is not None]
    if cached:
        usage["cached_tokens"] = max(cached)
    return Response(
        request.id,
        usage=usage,
        timings={},
        loglikelihoods=tuple(s.value for s in scored),
        continuation_tokens=tuple(s.tokens for s in scored),
    )


def failed(request: Instance, error: ResponseError) -> Response:
    return Response(request.id, finish_reason="error", error=error, timings={})


def bad_request(message: str) -> Unanswered:
    return Unanswered(ResponseError("bad_request", message, retryable=False))


def reply_of(content: bytes, what: str) -> dict[str, Any]:
    """A reply's JSON object. Raises Unanswered where it is none."""
    try:
        reply = json.loads(content)
    except ValueError:
        reply = None
    if not isinstance(reply, dict):
        raise unreadable(content, what)
    return reply


def unreadable(content: bytes, what: str) -> Unanswered:
    shown = content[:200].decode(errors="replace")
    return Unanswered(ResponseError("invalid_response", f"not {what}: {shown!r}", retryable=True))
