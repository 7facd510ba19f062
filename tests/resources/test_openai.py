"""The OpenAI-compatible model against an endpoint that fails in all the ways that endpoints do."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from resources.models.base import PERMANENT, Instance, Media, ModelUnusable, Response
from resources.models.openai import OpenAIModel
from tests.conftest import Endpoint, Reply

KEY = "sk-very-secret-0123456789"


def questions(count: int) -> list[Instance]:
    return [Instance(prompt=f"Question {i}?", id=str(i), gen_kwargs={"max_tokens": 4}) for i in range(count)]


def ask(endpoint: Endpoint | str, requests: list[Instance], **options) -> dict[str, Response]:
    url = endpoint if isinstance(endpoint, str) else endpoint.url

    async def run() -> dict[str, Response]:
        async with OpenAIModel("m", base_url=url, **{"timeout": 10, **options}) as model:
            return {r.id: r async for r in model.generate_until(requests)}

    return asyncio.run(run())


def one(endpoint: Endpoint, *replies: Reply, **options) -> Response:
    """The response to a single question, of which the attempts get these replies, then the last one."""
    endpoint.answer = lambda request, number: replies[min(number, len(replies) - 1)]
    return ask(endpoint, questions(1), **options)["0"]


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of milliseconds where the endpoint names none; what it names is still honoured."""
    import tenacity

    monkeypatch.setattr(tenacity, "wait_random_exponential", lambda multiplier, max: lambda state: 0.01)


def test_answers_with_their_usage_and_times(endpoint):
    endpoint.answer = lambda request, number: Reply(text=request.text.upper(), delay=0.05)
    found = ask(endpoint, questions(20), concurrency=5)
    assert {i: r.text for i, r in found.items()} == {str(i): f"QUESTION {i}?" for i in range(20)}
    for response in found.values():
        assert (response.error, response.finish_reason) == (None, "stop")
        assert dict(response.usage) == {"prompt_tokens": 7, "completion_tokens": 2}
        assert 0.05 <= response.timings["last_attempt"] <= response.timings["total"] < 5


def test_requests_carry_key_model_parameters_and_pictures(endpoint, png, monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    media = Media(png(1), "image/png")
    requests = [Instance(prompt="?", media_list=[media], gen_kwargs={"max_tokens": 3, "stop": ["\n"]}, id="0")]
    ask(endpoint, requests, api_key_env="MY_KEY", extra={"reasoning_effort": "low"})
    seen = endpoint.seen[0]
    assert seen.headers["Authorization"] == f"Bearer {KEY}"
    assert seen.pictures == [media.data_url]
    sent = {k: v for k, v in seen.body.items() if k != "messages"}
    assert sent == {"model": "m", "reasoning_effort": "low", "max_tokens": 3, "stop": ["\n"]}


@pytest.mark.parametrize("limit", [1, 8])
def test_never_more_requests_at_once_than_the_limit(endpoint, limit):
    endpoint.answer = lambda request, number: Reply(delay=0.02)
    ask(endpoint, questions(40), concurrency=limit)
    assert endpoint.most == limit


def test_requests_a_minute_are_spread_and_kept(endpoint):
    """600 a minute is one in 100 ms: twelve take more than a second, and none come in a burst."""
    ask(endpoint, questions(12), requests_per_minute=600)
    times = [seen.at for seen in endpoint.seen]
    assert 1.0 < times[-1] - times[0] < 2.5
    for start in times:
        assert sum(start <= t < start + 0.5 for t in times) <= 7


@pytest.mark.usefixtures("no_backoff")
def test_an_endpoint_that_is_down_fails_each_request_with_its_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    found = ask(url, questions(3), max_retries=1)
    for response in found.values():
        assert response.error is not None
        assert response.error.kind == "connection"
        assert url in response.error.message
        assert response.error.kind not in PERMANENT


@pytest.mark.parametrize(
    ("status", "text", "says"),
    [
        (401, f"Incorrect API key provided: {KEY}", r"refused the key \(401\): put a valid one into \$MY_KEY"),
        (403, f"{KEY} may not", r"refused the key \(403\)"),
        (404, f"no model m for {KEY}", "has no model 'm'"),
        (429, f"insufficient_quota for {KEY}", "quota of this key is used up"),
    ],
)
def test_what_no_request_can_survive_ends_it_at_once_without_the_key(endpoint, monkeypatch, caplog, status, text, says):
    monkeypatch.setenv("MY_KEY", KEY)
    endpoint.answer = lambda request, number: Reply(text=text, status=status)
    with caplog.at_level(logging.DEBUG), pytest.raises(ModelUnusable, match=says) as caught:
        ask(endpoint, questions(50), api_key_env="MY_KEY", concurrency=4)
    assert len(endpoint.seen) <= 8
    shown = "".join(traceback.format_exception(caught.value))
    assert KEY not in shown
    assert KEY not in caplog.text


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.usefixtures("no_backoff")
def test_the_key_is_in_no_error_and_no_log_line(endpoint, monkeypatch, caplog, status):
    monkeypatch.setenv("MY_KEY", KEY)
    with caplog.at_level(logging.DEBUG):
        response = one(endpoint, Reply(text=f"key {KEY} is bad", status=status), max_retries=1, api_key_env="MY_KEY")
    assert response.error is not None
    assert "is bad" in response.error.message
    assert KEY not in response.error.message
    assert KEY not in caplog.text


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.usefixtures("no_backoff")
def test_retry_after_is_honoured_and_halts_every_request(endpoint, form):
    """One 429 that asks for a second: nobody asks before it is over, then all succeed."""
    told: list[float] = []

    def answer(request, number):
        if number == 3:
            told.append(time.monotonic())
            wait = "1"
            if form == "date":  # whole seconds only: rounded up, so that at least one passes
                wait = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
            return Reply(text="slow down", status=429, headers={"Retry-After": wait})
        return Reply(delay=0.02)

    endpoint.answer = answer
    found = ask(endpoint, questions(30), concurrency=3)
    assert all(r.error is None for r in found.values())
    assert len(endpoint.seen) == 31
    during = [seen.at - told[0] for seen in endpoint.seen if 0.1 < seen.at - told[0] < 0.95]
    assert during == []


@pytest.mark.usefixtures("no_backoff")
def test_a_storm_of_429_ends_well(endpoint):
    endpoint.answer = lambda request, number: Reply(text="slow", status=429) if number < 60 else Reply()
    found = ask(endpoint, questions(40), concurrency=16)
    assert all(r.error is None for r in found.values())
    assert len(endpoint.seen) == 100


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503])
@pytest.mark.usefixtures("no_backoff")
def test_a_failure_of_the_server_passes(endpoint, status):
    response = one(endpoint, Reply(text="oops", status=status), Reply(text="yes"))
    assert (response.text, response.error) == ("yes", None)
    assert len(endpoint.seen) == 2


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(text="oops", status=500), "server"),
        (Reply(text="slow", status=429), "rate_limit"),
        (Reply(body=b"<html>proxy</html>"), "invalid_response"),
        (Reply(body=b'{"choices": []}'), "invalid_response"),
        (Reply(hang_up=True), "connection"),
        (Reply(delay=1.0), "timeout"),
    ],
)
@pytest.mark.usefixtures("no_backoff")
def test_after_all_retries_the_request_fails_with_what_happened(endpoint, reply, kind):
    response = one(endpoint, reply, max_retries=2, timeout=0.2)
    assert response.error is not None
    assert (response.error.kind, response.finish_reason) == (kind, "error")
    assert kind not in PERMANENT
    assert len(endpoint.seen) == 3


@pytest.mark.usefixtures("no_backoff")
def test_a_broken_connection_and_a_broken_body_are_asked_again(endpoint):
    response = one(endpoint, Reply(hang_up=True), Reply(body=b'{"choices": [{"mess'), Reply(text="yes"))
    assert (response.text, response.error) == ("yes", None)


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "This model's maximum context length is 10 tokens", "too_long"),
        (413, "body too big", "too_long"),
        (400, "rejected by our content_policy", "refused"),
        (400, "unknown parameter", "bad_request"),
        (422, "unprocessable", "bad_request"),
    ],
)
def test_what_is_wrong_with_a_request_is_not_asked_again(endpoint, status, text, kind):
    response = one(endpoint, Reply(text=text, status=status))
    assert response.error is not None
    assert (response.error.kind, response.error.retryable) == (kind, False)
    assert text in response.error.message
    assert len(endpoint.seen) == 1
    assert (kind in PERMANENT) == (kind != "bad_request")


def test_one_bad_request_leaves_the_others_alone(endpoint):
    endpoint.answer = lambda request, number: Reply(status=400 if "7" in request.text else 200, text="no")
    found = ask(endpoint, questions(10))
    assert [i for i, r in found.items() if r.error] == ["7"]


def test_empty_refused_and_filtered_answers_are_kept(endpoint):
    assert one(endpoint, Reply(text=None)).text == ""
    endpoint.seen.clear()
    refused = one(endpoint, Reply(text=None, message={"refusal": "No."}))
    assert (refused.text, refused.finish_reason) == ("No.", "content_filter")
    assert refused.error is not None
    assert refused.error.kind in PERMANENT
    endpoint.seen.clear()
    filtered = one(endpoint, Reply(text="", finish_reason="content_filter"))
    assert (filtered.text, filtered.finish_reason, filtered.error) == ("", "content_filter", None)
    endpoint.seen.clear()
    assert one(endpoint, Reply(text="a b c", finish_reason="length")).finish_reason == "length"


def test_log_likelihoods_say_what_to_use_instead(endpoint):
    async def run() -> None:
        async with OpenAIModel("m", base_url=endpoint.url) as model:
            async for _ in model.loglikelihood(questions(1)):
                pass

    with pytest.raises(ModelUnusable, match="--model transformers"):
        asyncio.run(run())
    assert endpoint.seen == []


# --- which model answers ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "text"), [(404, "The model `m` does not exist"), (400, "m is not a valid model ID")]
)
def test_an_unknown_model_is_told_with_the_names_most_like_it(endpoint, monkeypatch, status, text):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    endpoint.models = ["models/gpt-5-mini", "vendor/qwen3-vl-8b", "gpt-5-nano", "whisper-1"]
    endpoint.answer = lambda request, number: Reply(text=f"{text} {KEY}", status=status)

    def refusal(model: str) -> str:
        async def run() -> None:
            async with OpenAIModel(model, base_url=endpoint.url, concurrency=8) as unknown:
                async for _ in unknown.generate_until(questions(20)):
                    pass

        with pytest.raises(ModelUnusable, match=f"has no model '{model}'") as caught:
            asyncio.run(run())
        assert KEY not in "".join(traceback.format_exception(caught.value))
        return str(caught.value)

    assert "did you mean models/gpt-5-mini, gpt-5-nano?" in refusal("gpt-5-min")
    assert "did you mean vendor/qwen3-vl-8b?" in refusal("Qwen3-VL-8B")
    assert "it has gpt-5-nano, models/gpt-5-mini, vendor/qwen3-vl-8b, whisper-1" in refusal("zzzz")
    assert endpoint.listed == 3, "asked once, not by each of those in flight"
    endpoint.models = None
    assert "did you mean" not in refusal("gpt-5-min")


def served(*names: str):
    return lambda request, number: Reply(fields={"model": names[number % len(names)], "system_fingerprint": "fp_1"})


def test_the_model_that_the_endpoint_names_comes_with_each_answer_and_a_second_one_is_said(endpoint):
    said: list[str] = []
    endpoint.answer = served("m-2025-08-07", "m-2025-11-01")
    found = ask(endpoint, questions(10), log=said.append, concurrency=1)
    assert found["0"].served_by == "m-2025-08-07+fp_1"
    assert {r.served_by for r in found.values()} == {"m-2025-08-07+fp_1", "m-2025-11-01+fp_1"}
    assert len(said) == 1
    assert "more than one model (m-2025-08-07, m-2025-11-01)" in said[0]


def test_a_pinned_snapshot_that_has_moved_ends_it(endpoint):
    endpoint.answer = served("m-2025-08-07")
    assert len(ask(endpoint, questions(3), snapshot="2025-08-07")) == 3
    endpoint.answer = served("m")  # repeats the alias: nothing to see
    assert len(ask(endpoint, questions(3), snapshot="2025-08-07")) == 3
    endpoint.answer = served("m-2025-11-01")
    with pytest.raises(ModelUnusable, match=r"snapshot=2025-08-07 is pinned, but .* answers 'm' with 'm-2025-11-01'"):
        ask(endpoint, questions(3), snapshot="2025-08-07")


# --- overload ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503, 529])
@pytest.mark.usefixtures("no_backoff")
def test_an_overloaded_endpoint_gets_fewer_at_once_and_all_is_answered(endpoint, status):
    """It bears four at a time and refuses every further one."""
    open_now = 0
    refused: list[int] = []

    def answer(request, number):
        if endpoint._open > 4:
            refused.append(number)
            return Reply(text="too many", status=status)
        return Reply(delay=0.01)

    endpoint.answer = answer
    said: list[str] = []
    found = ask(endpoint, questions(300), concurrency=32, max_retries=30, log=said.append)
    assert open_now == 0
    assert all(r.error is None for r in found.values())
    late = [number for number in refused if number > len(endpoint.seen) // 2]
    assert len(late) < 0.35 * (len(endpoint.seen) // 2)
    assert "32 -> 16 requests in flight" in said[0]
    assert f"overloaded ({status})" in said[0]
    assert len(said) <= 3


def test_what_happened_to_the_places_is_told_afterwards(endpoint):
    async def observed(answer) -> dict:
        endpoint.answer = answer
        async with OpenAIModel("m", base_url=endpoint.url, concurrency=8, drop_params="max_tokens") as model:
            async for _ in model.generate_until(questions(30)):
                pass
        return dict(model.observed)

    quiet = asyncio.run(observed(lambda request, number: Reply()))
    assert quiet == {"parameters_not_sent": ["max_tokens"]}
    slow = Reply(text="slow", status=429, headers={"Retry-After": "0.1"})
    endpoint.seen.clear()
    told = asyncio.run(observed(lambda request, number: slow if number == 9 else Reply()))
    assert told["in_flight"]["overloads"] == 1
    assert (told["in_flight"]["most"], told["in_flight"]["least"]) == (8, 4)


# --- reasoning and keys -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_that_comes_apart_stays_apart(endpoint, name):
    found = one(endpoint, Reply(text="42", message={name: "6 * 7"}))
    assert (found.text, found.reasoning, found.reasoning_in_text) == ("42", "6 * 7", False)
    endpoint.seen.clear()
    cut = one(endpoint, Reply(text=None, message={name: "6 * "}, finish_reason="length"))
    assert (cut.text, cut.reasoning, cut.finish_reason, cut.error) == ("", "6 * ", "length", None)


@pytest.mark.usefixtures("no_backoff")
def test_a_reply_that_repeats_the_key_leaves_no_trace_of_it(endpoint, monkeypatch, caplog):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        broken = one(endpoint, Reply(body=f"<html>{KEY}</html>".encode()), max_retries=1, log=said.append)
        refused = Reply(text=f"slow {KEY}", status=503)
        endpoint.seen.clear()
        ask(endpoint, questions(3), max_retries=1, log=said.append, snapshot="x")
        endpoint.answer = lambda request, number: refused
        ask(endpoint, questions(3), max_retries=1, log=said.append)
    assert broken.error is not None
    assert broken.error.message == "not a chat completion: '<html>***</html>'"
    assert KEY not in caplog.text + "".join(said)


@pytest.mark.parametrize(("status", "text"), [(402, "Insufficient credits"), (429, "insufficient_quota")])
def test_an_empty_account_ends_it(endpoint, status, text):
    endpoint.answer = lambda request, number: Reply(text=text, status=status)
    with pytest.raises(ModelUnusable, match="quota of this key is used up"):
        ask(endpoint, questions(50), concurrency=4)
    assert len(endpoint.seen) <= 8
