"""Log-likelihoods over HTTP without a server: where a continuation begins, and replies that do not fit."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from resources.models import loglikelihood_vllm as vllm
from resources.models.base import Instance, Message, ModelUnusable, Response, ResponseError
from resources.models.loglikelihood import Unanswered, continued, own_tokens, poster, total
from resources.models.openai_wire import chat_body

ASKED = Instance(prompt="Which?", continuations=("a", "b"), id="q")


def test_a_continuation_begins_where_the_tokens_first_differ() -> None:
    assert own_tokens([1, 2, 3], [1, 2, 3, 4, 5], "x") == 2
    assert own_tokens([1, 2, 3], [1, 2, 7, 8], "x") == 2, "a token over the border is the continuation's"
    assert own_tokens([1, 2, 3], [1, 2, 7], "x") == 1
    with pytest.raises(ValueError, match="'x' has no tokens of its own"):
        own_tokens([1, 2, 3], [1, 2], "x")
    with pytest.raises(ValueError, match="needs a prompt"):
        own_tokens([], [1], "x")


def test_a_begun_answer_is_continued_and_not_followed() -> None:
    user = Message("user", (("text", "Which?"),))
    begun = (user, Message("assistant", (("text", "The "),)))
    assert continued(begun, "left") == (user, Message("assistant", (("text", "The left"),)))
    assert continued((user,), "left") == (user, Message("assistant", (("text", "left"),)))


def test_a_sum_is_never_above_0_and_logits_are_noticed() -> None:
    assert total([0.0, 1e-6]) == 0.0
    assert total([-1.0, -2.0]) == -3.0
    with pytest.raises(ModelUnusable, match="raw_logprobs"):
        total([-1.0, 4.2])


def score(chat: Any) -> Response:
    """With a server whose tokens are characters and whose chat completions are these, one after the other."""
    replies = iter(chat if isinstance(chat, list) else [chat])

    async def post(path: str, body: bytes) -> bytes:
        if path == "/tokenize":
            said = "".join(m["content"] for m in json.loads(body)["messages"])
            return json.dumps({"tokens": [ord(c) for c in said]}).encode()
        reply = next(replies)
        return reply if isinstance(reply, bytes) else json.dumps(reply).encode()

    return asyncio.run(vllm.score(ASKED, post, lambda asked, fields: chat_body(asked, "m", "max_tokens", fields)))


def next_tokens(**logprobs: float) -> dict[str, Any]:
    top = [{"token": f"token_id:{ord(c)}", "logprob": value} for c, value in logprobs.items()]
    return {"choices": [{"logprobs": {"content": [{"top_logprobs": top}]}}], "usage": {"prompt_tokens": 6}}


def own_prompt(said: str, value: float) -> dict[str, Any]:
    ids = [ord(c) for c in said]
    entries = [None, *({str(i): {"logprob": value}} for i in ids[1:])]
    return {"prompt_token_ids": ids, "prompt_logprobs": entries, "usage": {"prompt_tokens": len(ids)}}


def test_options_of_one_token_come_in_one_reply() -> None:
    found = score(next_tokens(a=-1.0, b=-2.0, z=-0.1))
    assert found.loglikelihoods == (-1.0, -2.0)
    assert found.continuation_tokens == (1, 1)
    assert found.usage == {"prompt_tokens": 6}


def test_a_server_that_leaves_options_out_is_asked_for_each() -> None:
    found = score([next_tokens(a=-1.0, z=-0.1), own_prompt("Which?a", -1.0), own_prompt("Which?b", -2.0)])
    assert found.loglikelihoods == (-1.0, -2.0)
    assert found.usage == {"prompt_tokens": 6}


def test_media_that_change_the_tokens_of_the_continuation_are_noticed() -> None:
    error = score([next_tokens(), own_prompt("Which?A", -1.0)]).error
    assert error is not None
    assert "cannot be scored on vLLM" in error.message


@pytest.mark.parametrize("reply", [b"<html>", b"[]", b"{}", {"choices": [{"logprobs": None}], "usage": {}}])
def test_a_reply_that_is_none_is_told(reply: Any) -> None:
    error = score(reply).error
    assert error is not None
    assert error.kind == "invalid_response"


def test_a_request_that_fails_after_its_retries_keeps_its_reason() -> None:
    problem = ResponseError("rate_limit", "slow down", retryable=True)

    async def refuse(request: Instance, path: str, body: bytes, parse: Any) -> Response:
        return Response(request.id, error=problem)

    with pytest.raises(Unanswered) as caught:
        asyncio.run(poster(refuse, ASKED)("/tokenize", b"{}"))
    assert caught.value.error is problem
