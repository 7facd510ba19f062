"""Log-likelihoods of continuations from a vLLM server.

Each continuation is put into an assistant turn that is left open, and vLLM is asked for the
log-probabilities of that prompt's own tokens (`prompt_logprobs`). Where every continuation is one
more token after the same prompt (letters, yes and no), one request for the next token with
`logprob_token_ids` says the same, reads the prefix cache and costs a fraction.

Log-probabilities are those of the model: temperature, penalties and top-k of the task are not sent,
and neutral ones keep a server's own defaults (`generation_config.json`, `--logprobs-mode
processed_logprobs`) from taking part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from resources.models.base import Instance, Message, Response
from resources.models.loglikelihood import (
    Body,
    Post,
    Scored,
    Unanswered,
    bad_request,
    continued,
    failed,
    own_tokens,
    reply_of,
    response_of,
    total,
    unreadable,
)

_MOST_IDS = 100  # tokens of one request; vLLM refuses more than 128
_NEUTRAL: dict[str, Any] = {
    "max_tokens": 1,
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}


async def score(request: Instance, post: Post, body: Body) -> Response:
    """The log-likelihood of each of the request's continuations; a failure is the response's error.

    post: sends a body to `/tokenize` and `/v1/chat/completions`. body: makes one of a conversation.
    Raises what `post` raises but for Unanswered.
    """
    if not request.continuations:
        return response_of(request, [])
    # How the prompt is made stays as the task has it, how the next token is drawn does not.
    kept = {name: value for name, value in request.gen_kwargs.items() if name == "chat_template_kwargs"}
    asked = replace(request, messages=request.turns(), gen_kwargs=kept)
    try:
        before = await _tokens(asked, post, body)
        wholes = [await _tokens(_with(asked, text), post, body) for text in request.continuations]
        counts = [_count(before, w, text) for w, text in zip(wholes, request.continuations, strict=True)]
        scored = None
        if all(len(whole) == len(before) + 1 and n == 1 for whole, n in zip(wholes, counts, strict=True)):
            scored = await _next_tokens(asked, [whole[-1] for whole in wholes], post, body)
        if scored is None:
            scored = [
                await _continuation(_with(asked, text), whole[-n:], post, body)
                for text, whole, n in zip(request.continuations, wholes, counts, strict=True)
            ]
    except Unanswered as unanswered:
        return failed(request, unanswered.error)
    return response_of(request, scored)


def _with(request: Instance, continuation: str) -> Instance:
    return replace(request, messages=continued(request.messages, continuation))


def _count(before: Sequence[int], whole: Sequence[int], continuation: str) -> int:
    try:
        return own_tokens(before, whole, continuation)
    except ValueError as error:
        raise bad_request(str(error)) from error


def _ending(request: Instance) -> dict[str, bool]:
    """An assistant's turn at the end is left open; behind another one, the assistant's is begun."""
    assistant = request.messages[-1].role == "assistant"
    return {"add_generation_prompt": not assistant, "continue_final_message": assistant}


async def _tokens(request: Instance, post: Post, body: Body) -> list[int]:
    """The conversation's tokens but those of its media, which would be processed for nothing."""
    turns = tuple(Message(t.role, tuple(p for p in t.parts if p[0] == "text")) for t in request.messages)
    content = await post("/tokenize", body(replace(request, messages=turns, media_list=()), _ending(request)))
    tokens = reply_of(content, "a list of tokens").get("tokens")
    if not isinstance(tokens, list):
        raise unreadable(content, "a list of tokens")
    return tokens


async def _next_tokens(request: Instance, ids: Sequence[int], post: Post, body: Body) -> list[Scored] | None:
    """Each of these tokens as the next one; None where the server does not say it of all of them."""
    if len(set(ids)) > _MOST_IDS:
        return None
    fields = {
        **_NEUTRAL,
        **_ending(request),
        "logprobs": True,
        "logprob_token_ids": sorted(set(ids)),
        "return_tokens_as_token_ids": True,
    }
    content = await post("/v1/chat/completions", body(request, fields))
    reply = reply_of(content, "a chat completion")
    try:
        likely = reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        values = {entry["token"]: float(entry["logprob"]) for entry in likely}
        prompt_tokens, cached = _counted(reply["usage"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise unreadable(content, "a chat completion with log-probabilities") from error
    names = [f"token_id:{token}" for token in ids]
    if not values.keys() >= set(names):  # a version that does not know `logprob_token_ids` leaves it out
        return None
    return [Scored(total([values[name]]), 1, prompt_tokens, cached) for name in names]


async def _continuation(request: Instance, own: Sequence[int], post: Post, body: Body) -> Scored:
    """The last tokens of the prompt itself. own: their ids."""
    fields = {**_NEUTRAL, **_ending(request), "prompt_logprobs": 0, "return_token_ids": True}
    content = await post("/v1/chat/completions", body(request, fields))
    reply = reply_of(content, "a chat completion")
    try:
        ids, entries = reply["prompt_token_ids"][-len(own) :], reply["prompt_logprobs"][-len(own) :]
        values = [float(entry[str(token)]["logprob"]) for token, entry in zip(ids, entries, strict=True)]
        prompt_tokens, cached = _counted(reply["usage"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise unreadable(content, "a chat completion with prompt_logprobs") from error
    if list(own) != ids:
        raise bad_request(
            f"the prompt ends in tokens {ids} with its media and in {list(own)} without them: "
            "this chat template cannot be scored on vLLM, use --model transformers"
        )
    return Scored(total(values), len(own), prompt_tokens - len(own), cached)


def _counted(usage: Mapping[str, Any]) -> tuple[int, int | None]:
    """Tokens of the prompt, and how many of them came from the cache where the server says so."""
    details = usage.get("prompt_tokens_details") or {}
    return int(usage["prompt_tokens"]), details.get("cached_tokens")
