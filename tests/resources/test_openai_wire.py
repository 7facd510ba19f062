"""What goes to an endpoint and what its answers mean, without one."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.models.base import Instance, Media, Message
from resources.models.openai_wire import chat_body, parse_completion, retry_after

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def body(request: Instance, **more) -> dict:
    return json.loads(chat_body(request, "m", more.get("name", "max_tokens"), more.get("extra", {})))


@given(_TEXT, st.dictionaries(_TEXT, _TEXT, max_size=3))
def test_any_text_arrives_as_it_is(text, extra):
    extra = {f"x{k}": v for k, v in extra.items()}
    sent = body(Instance(prompt=text, gen_kwargs={"max_tokens": 3, "stop": [], "seed": None}), extra=extra)
    assert sent == {"model": "m", **extra, "max_tokens": 3, "messages": [{"role": "user", "content": text}]}


def test_media_stand_where_the_message_places_them_and_their_bytes_are_the_same():
    media = [Media(b"\x00\xff", "image/png"), Media(b"vid", "video/mp4"), Media(b"snd", "audio/mpeg")]
    parts = (("text", "a "), ("media", 1), ("text", " b "), ("media", 0), ("media", 2))
    messages = (Message("system", (("text", "Be short."),)), Message("user", parts))
    sent = body(Instance(messages=messages, media_list=media))["messages"]
    assert sent[0] == {"role": "system", "content": "Be short."}
    kinds = [part["type"] for part in sent[1]["content"]]
    assert kinds == ["text", "video_url", "text", "image_url", "input_audio"]
    url = sent[1]["content"][3]["image_url"]["url"]
    assert url.startswith("data:image/png;base64,")
    assert base64.b64decode(url.split(",")[1]) == b"\x00\xff"
    assert sent[1]["content"][4]["input_audio"] == {"format": "mp3", "data": base64.b64encode(b"snd").decode()}


def test_parameters_under_the_names_that_the_endpoint_wants():
    sent = body(
        Instance(prompt="?", gen_kwargs={"max_tokens": 3, "stop": ["\n"], "temperature": 0.0}),
        name="max_completion_tokens",
        extra={"reasoning_effort": "low"},
    )
    assert sent["max_completion_tokens"] == 3
    assert "max_tokens" not in sent
    assert (sent["stop"], sent["temperature"], sent["reasoning_effort"]) == (["\n"], 0.0, "low")


def completion(**message) -> bytes:
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<html>", b"null", b"[]", b"{}", b'{"choices": []}', b'{"choices": [null]}', b'{"choices": [{}]}',
        b'{"choices": [{"message": null}]}', b'{"choices": [{"message": "hi"}]}', b'{"error": {"message": "no"}}',
        b'{"choices": [{"message": {"content": 7}}]}', b"\xff\xfe",
    ],
)  # fmt: skip
def test_what_is_no_completion_is_an_error_that_may_pass(content):
    response = parse_completion("id", content)
    assert response.error is not None
    assert (response.error.kind, response.error.retryable, response.finish_reason) == (
        "invalid_response", True, "error",
    )  # fmt: skip


@pytest.mark.parametrize("content", [None, ""])
def test_an_empty_answer_is_an_answer(content):
    response = parse_completion("id", completion(content=content))
    assert (response.text, response.error, response.finish_reason) == ("", None, "stop")


def test_a_refusal_is_told_by_its_field_and_text_in_parts_is_joined():
    refused = parse_completion("id", completion(content=None, refusal="I can't help."))
    assert (refused.text, refused.finish_reason) == ("I can't help.", "content_filter")
    assert refused.error is not None
    assert (refused.error.kind, refused.error.retryable) == ("refused", False)
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert parse_completion("id", completion(content=parts)).text == "ab"


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (None, {}),
        ([], {}),
        ({"prompt_tokens": 3, "completion_tokens": None}, {"prompt_tokens": 3}),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}, {"prompt_tokens": 3, "cached_tokens": 2}),
        ({"prompt_tokens": 3, "prompt_tokens_details": None}, {"prompt_tokens": 3}),
        ("seven", {}),
    ],
)
def test_token_counts_that_are_unknown_stay_unknown(usage, counts):
    reply = {"choices": [{"message": {"content": "x"}}], "usage": usage}
    response = parse_completion("id", json.dumps(reply).encode())
    assert response.error is None
    assert dict(response.usage) == counts


def test_retry_after_in_seconds_or_as_a_date():
    assert retry_after({"retry-after": "2.5"}) == 2.5
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after({"retry-after": soon}) == pytest.approx(30, abs=2)
    past = format_datetime(datetime.fromtimestamp(time.time() - 30, UTC), usegmt=True)
    assert retry_after({"retry-after": past}) == 0
    for value in ("", "soon", "nan", "inf", "-inf"):
        assert retry_after({"retry-after": value}) in {None, 0.0}
    assert retry_after({}) is None


def usage_of(**usage) -> dict[str, int]:
    reply = {"choices": [{"message": {"content": "a"}}], "usage": usage}
    return dict(parse_completion("0", json.dumps(reply).encode()).usage)


def test_what_was_thought_is_counted_whether_it_is_part_of_the_completion_or_only_of_the_total():
    of_it = usage_of(
        prompt_tokens=10, completion_tokens=50, total_tokens=60, completion_tokens_details={"reasoning_tokens": 40}
    )
    assert of_it == {"prompt_tokens": 10, "completion_tokens": 50, "reasoning_tokens": 40}
    beside = usage_of(prompt_tokens=20, completion_tokens=198, total_tokens=623)
    assert beside == {"prompt_tokens": 20, "completion_tokens": 603, "reasoning_tokens": 405}
    only = usage_of(
        prompt_tokens=21, completion_tokens=0, total_tokens=81, completion_tokens_details={"reasoning_tokens": 60}
    )
    assert only == {"prompt_tokens": 21, "completion_tokens": 60, "reasoning_tokens": 60}
    assert usage_of(prompt_tokens=3, completion_tokens="?", total_tokens="?") == {"prompt_tokens": 3}


def test_reasoning_among_the_parts_of_the_content():
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "6 * 7"}]}, {"type": "text", "text": "42"}]
    found = parse_completion("0", completion(content=parts))
    assert (found.text, found.reasoning) == ("42", "6 * 7")


def test_a_routers_200_around_anothers_failure_is_no_empty_answer():
    reply = {"choices": [{"message": {"content": ""}, "error": {"code": 502}}]}
    found = parse_completion("0", json.dumps(reply).encode())
    assert found.error is not None
    assert found.error.retryable
