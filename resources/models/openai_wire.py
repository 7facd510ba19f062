"""What goes over the wire of an OpenAI-compatible endpoint, and what comes back: pure functions."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from resources.models.base import Instance, Media, Message, ModelUnusable, Response, ResponseError

if TYPE_CHECKING:
    import openai

# The last one is SGLang's.
_TOO_LONG = (
    "context_length_exceeded",
    "maximum context length",
    "too long",
    "longer than the maximum",
    "longer than the model's context length",
)
_REFUSED = ("content_policy", "content_filter", "safety")
_NO_MODEL = ("model_not_found", "not a valid model id")
_AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/flac": "flac"}


class NoSuchModel(ModelUnusable):
    """The endpoint knows no model of that name."""


def chat_body(
    request: Instance, model: str, max_tokens_param: str, extra: Mapping[str, Any], dropped: Collection[str] = ()
) -> bytes:
    """The JSON body. Data URLs are ASCII without a character to escape, so they go in as they are.

    dropped: generation parameters that are left out.
    """
    fields: dict[str, Any] = {"model": model, **extra}
    for name, value in request.gen_kwargs.items():
        if value is not None and value != [] and name not in dropped:
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
        message = choice["message"]
        text = _text(message.get("content"))
        refusal = "" if text else _text(message.get("refusal"))
        reasoning = _reasoning(message)
        if not text and not reasoning and choice.get("error"):  # a router's 200 around another's failure
            raise ValueError
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
        reasoning=reasoning,
        served_by=_served_by(reply),
    )


def _reasoning(message: Mapping[str, Any]) -> str:
    """What came apart from the answer: as DeepSeek and DashScope name it, as vLLM, Groq, OpenRouter and
    Together do, or as Mistral puts it among the parts of the content.
    """
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str) and message[name]:
            return str(message[name])
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return "".join(_text(part.get("thinking")) for part in parts if part.get("type") == "thinking")


def _served_by(reply: Mapping[str, Any]) -> str:
    name, fingerprint = reply.get("model"), reply.get("system_fingerprint")
    if not isinstance(name, str) or not name:
        return ""
    return f"{name}+{fingerprint}"[:200] if isinstance(fingerprint, str) and fingerprint else name[:200]


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
    found = dict(usage)
    for of, name in (("prompt_tokens_details", "cached_tokens"), ("completion_tokens_details", "reasoning_tokens")):
        details = usage.get(of)
        found[name] = details.get(name) if isinstance(details, dict) else None
    prompt, completion, total = (usage.get(f"{of}_tokens") for of in ("prompt", "completion", "total"))
    # Gemini and Grok count what was thought in the total only; it is paid for like what was said.
    said = completion if isinstance(completion, int) else 0
    if isinstance(prompt, int) and isinstance(total, int) and total > prompt + said:
        found["completion_tokens"] = total - prompt
        found["reasoning_tokens"] = found["reasoning_tokens"] or total - prompt - said
    names = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
    return {name: found[name] for name in names if isinstance(found.get(name), int)}


def as_error(
    error: openai.APIError, model: str, base_url: str, key_env: str, key: str
) -> tuple[ResponseError, float | None]:
    """What an exception of the client means, and for how many seconds it asks to wait.

    key: taken out of every text ("": there is none), since endpoints repeat it in their errors.
    Raises ModelUnusable where no request can succeed; without its cause, which shows the answer as it came.
    """
    import openai

    text = redacted(str(getattr(error, "message", error)), key)[:500]
    if not isinstance(error, openai.APIStatusError):
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        # The client calls refused and broken connections time-outs too; what is behind them tells.
        if isinstance(cause, TimeoutError):
            return ResponseError("timeout", f"no answer in time from {base_url}", retryable=True), None
        said = redacted(str(cause), key) or text
        return ResponseError("connection", f"{base_url}: {said}"[:500], retryable=True), None
    status = error.status_code
    text = text.removeprefix(f"Error code: {status} - ")  # the client's own words
    code = f"{error.code or ''} {text}".lower()
    if status in {401, 403}:
        raise ModelUnusable(f"{base_url} refused the key ({status}): put a valid one into ${key_env}") from None
    if status == 404 or any(word in code for word in _NO_MODEL):
        raise NoSuchModel(f"{base_url} has no model {model!r} ({status}: {text}): check model= and base_url=") from None
    if status == 402 or (status == 429 and "insufficient_quota" in code):
        raise ModelUnusable(f"{base_url}: the quota of this key is used up ({status})") from None
    if status == 429:
        return ResponseError("rate_limit", text, retryable=True), retry_after(error.response.headers)
    if status in {408, 409} or status >= 500:
        return ResponseError("server", f"{status}: {text}", retryable=True), retry_after(error.response.headers)
    if status == 413 or any(word in code for word in _TOO_LONG):
        return ResponseError("too_long", text, retryable=False), None
    if any(word in code for word in _REFUSED):
        return ResponseError("refused", text, retryable=False), None
    return ResponseError("bad_request", f"{status}: {text}", retryable=False), None


def redacted(text: str, key: str) -> str:
    """The text without the key; "": there is none."""
    return text.replace(key, "***") if key else text


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
