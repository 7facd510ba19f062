"""What goes over the wire of an OpenAI-compatible endpoint, and what comes back: pure functions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resources.models.base import Instance, Media, Message, ModelUnusable, Response, ResponseError

if TYPE_CHECKING:
    import openai

_TOO_LONG = ("context_length_exceeded", "maximum context length", "too long", "longer than the maximum")
_REFUSED = ("content_policy", "content_filter", "safety")
_AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/flac": "flac"}


def chat_body(request: Instance, model: str, max_tokens_param: str, extra: Mapping[str, Any]) -> bytes:
    """The JSON body. Data URLs are ASCII without a character to escape, so they go in as they are."""
    fields: dict[str, Any] = {"model": model, **extra}
    for name, value in request.gen_kwargs.items():
        if value is not None and value != []:
            fields[max_tokens_param if name == "max_tokens" else name] = value
    messages = ",".join(_message(m, request) for m in request.turns())
    head = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return f'{head[:-1]},"messages":[{messages}]}}'.encode()


def _message(message: Message, request: Instance) -> str:
    role = json.dumps(message.role)
    if all(kind == "text" for kind, _ in message.parts):
        text = "".join(str(value) for _, value in message.parts)
        return f'{{"role":{role},"content":{json.dumps(text, ensure_ascii=False)}}}'
    parts = (
        f'{{"type":"text","text":{json.dumps(value, ensure_ascii=False)}}}'
        if kind == "text"
        else _medium(request.media_list[int(value)])
        for kind, value in message.parts
    )
    return f'{{"role":{role},"content":[{",".join(parts)}]}}'


def _medium(media: Media) -> str:
    if media.kind == "audio":
        name = _AUDIO_FORMATS.get(media.mime, media.mime.split("/")[-1])
        data = media.data_url.split(",", 1)[1]
        return f'{{"type":"input_audio","input_audio":{{"format":{json.dumps(name)},"data":"{data}"}}}}'
    kind = "video_url" if media.kind == "video" else "image_url"
    return f'{{"type":"{kind}","{kind}":{{"url":"{media.data_url}"}}}}'


def parse_completion(request_id: str, content: bytes) -> Response:
    """The first choice as a response. A reply that is no completion is an `invalid_response`."""
    try:
        reply = json.loads(content)
        choice = reply["choices"][0]
        text = _text(choice["message"].get("content"))
        refusal = "" if text else _text(choice["message"].get("refusal"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        shown = content[:200].decode(errors="replace")
        error = ResponseError("invalid_response", f"not a chat completion: {shown!r}", retryable=True)
        return Response(request_id, finish_reason="error", error=error, timings={})
    return Response(
        request_id,
        text=text or refusal,
        finish_reason="content_filter" if refusal else choice.get("finish_reason") or "stop",
        usage=_counts(reply.get("usage")),
        timings={},
        # Its words are kept, but are no answer that a judge should read.
        error=ResponseError("refused", refusal[:500], retryable=False) if refusal else None,
    )


def _text(content: Any) -> str:
    """The text of a message, which some endpoints give in parts."""
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if part.get("type") == "text")
    if not isinstance(content, str | None):
        raise TypeError(f"expected text, found {type(content).__name__}")
    return content or ""


def _counts(usage: Any) -> dict[str, int]:
    """Token counts as far as they are known."""
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    found = {**usage, "cached_tokens": details.get("cached_tokens") if isinstance(details, dict) else None}
    names = ("prompt_tokens", "completion_tokens", "cached_tokens")
    return {name: found[name] for name in names if isinstance(found.get(name), int)}


def as_error(
    error: openai.APIError, model: str, base_url: str, key_env: str, key: str
) -> tuple[ResponseError, float | None]:
    """What an exception of the client means, and for how many seconds it asks to wait.

    key: taken out of every text ("": there is none), since endpoints repeat it in their errors.
    Raises ModelUnusable where no request can succeed; without its cause, which shows the answer as it came.
    """
    import openai

    text = str(getattr(error, "message", error))
    text = (text.replace(key, "***") if key else text)[:500]
    if not isinstance(error, openai.APIStatusError):
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        # The client calls refused and broken connections time-outs too; what is behind them tells.
        if isinstance(cause, TimeoutError):
            return ResponseError("timeout", f"no answer in time from {base_url}", retryable=True), None
        return ResponseError("connection", f"{base_url}: {str(cause) or text}"[:500], retryable=True), None
    status, code = error.status_code, f"{error.code or ''} {text}".lower()
    if status in {401, 403}:
        raise ModelUnusable(f"{base_url} refused the key ({status}): put a valid one into ${key_env}") from None
    if status == 404:
        raise ModelUnusable(f"{base_url} has no model {model!r} (404: {text}): check model= and base_url=") from None
    if status == 429 and "insufficient_quota" in code:
        raise ModelUnusable(f"{base_url}: the quota of this key is used up (429)") from None
    if status == 429:
        return ResponseError("rate_limit", text, retryable=True), retry_after(error.response.headers)
    if status in {408, 409} or status >= 500:
        return ResponseError("server", f"{status}: {text}", retryable=True), retry_after(error.response.headers)
    if status == 413 or any(word in code for word in _TOO_LONG):
        return ResponseError("too_long", text, retryable=False), None
    if any(word in code for word in _REFUSED):
        return ResponseError("refused", text, retryable=False), None
    return ResponseError("bad_request", f"{status}: {text}", retryable=False), None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a `Retry-After` (seconds or a date) asks to wait; None without one."""
    import time
    from email.utils import parsedate_to_datetime

    value = headers.get("retry-after")
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
