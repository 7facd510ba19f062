"""Log-likelihoods of continuations from an SGLang server.

Chat completions of SGLang say nothing of a prompt's own tokens, and its `/tokenize` takes no
conversation. So the chat template is rendered here, by the checkpoint's own processor as the
transformers backend does it, and sent to `/generate`: as tokens, or as text where media stand in it,
which SGLang's processor expands. Asked for are log-probabilities from the token before the
continuation on (`return_logprob`, `logprob_start_len`); what stands before comes from the radix cache
from the second continuation on.

Fields: https://docs.sglang.io/basic_usage/sampling_params.html. `meta_info.input_token_logprobs` holds
`[log-probability, token, text]` for each token of the prompt from `logprob_start_len` on; the first
one's is null, and the ids of expanded media are given as 0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.models.base import Instance, ModelUnusable, Response, ResponseError
from resources.models.loglikelihood import (
    Post,
    Scored,
    Unanswered,
    bad_request,
    failed,
    reply_of,
    response_of,
    total,
    unreadable,
)
from resources.models.transformers_prompts import Choice, Prompts, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping


def load_prompts(
    pretrained: str,
    revision: str | None = None,
    *,
    chat_template: str | None = None,
    trust_remote_code: bool = False,
) -> Prompts:
    """What renders conversations for a checkpoint: its processor, or its tokenizer where it sees nothing.

    chat_template: the Jinja file that the server was started with, in place of the checkpoint's own.
    Blocking, a second or two. Raises ModelUnusable without Transformers or without such a checkpoint.
    """
    try:
        from transformers import AutoProcessor

        processor = AutoProcessor.from_pretrained(
            pretrained, revision=revision or "main", trust_remote_code=trust_remote_code
        )
    except ImportError as error:
        raise ModelUnusable(
            f"log-likelihoods on SGLang need the chat template here: pip install 'eval-assets[local]' ({error})"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnusable(f"the processor of {pretrained} cannot be loaded: {error}") from error
    if chat_template is not None:
        file = Path(chat_template).expanduser()
        if not file.is_file():
            raise ModelUnusable(f"log-likelihoods on SGLang need the chat template as a file, {chat_template} is none")
        processor.chat_template = file.read_text(encoding="utf-8")
    return Prompts(processor)


async def score(request: Instance, post: Post, prompts: Prompts) -> Response:
    """The log-likelihood of each of the request's continuations; a failure is the response's error.

    post: sends a body to `/generate`. Raises what it raises but for Unanswered.
    """
    turns, template = request.turns(), request.gen_kwargs.get("chat_template_kwargs")
    try:
        choices = [prompts.choice(turns, request.media_list, text, template) for text in request.continuations]
        scored: list[Scored] = []
        added = 0  # tokens that media have more than their placeholders, known from the first reply on
        for choice in choices:
            one, added = await _continuation(request, choice, added, post, prompts)
            scored.append(one)
    except Refused as refused:
        return failed(request, ResponseError(refused.kind, str(refused), retryable=False))
    except Unanswered as unanswered:
        return failed(request, unanswered.error)
    return response_of(request, scored)


async def _continuation(
    request: Instance, choice: Choice, added: int, post: Post, prompts: Prompts
) -> tuple[Scored, int]:
    ids, count = [*choice.context, choice.tokens[-1]], len(choice.tokens)
    fields = {
        **_prompt(request, choice, ids, prompts),
        "sampling_params": {"max_new_tokens": 1, "temperature": 0},
        "return_logprob": True,
        "logprob_start_len": len(ids) + added - count - 1,
    }
    content = await post("/generate", json.dumps(fields, ensure_ascii=False).encode())
    info = reply_of(content, "an answer of /generate").get("meta_info")
    try:
        entries = info["input_token_logprobs"][-count:]
        values = [float(entry[0]) for entry in entries]
        own = tuple(int(entry[1]) for entry in entries)
        prompt_tokens, cached = int(info["prompt_tokens"]), info.get("cached_tokens")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise unreadable(content, "an answer of /generate with input_token_logprobs") from error
    # SGLang names the last token of the vocabulary 0 too, since images have ids beyond it.
    if len(own) != count or any(a != b for a, b in zip(own, choice.tokens, strict=True) if a):
        raise bad_request(
            f"SGLang reads the prompt's end as tokens {own}, the checkpoint's processor as {choice.tokens}: "
            "use --model transformers"
        )
    return Scored(total(values), count, prompt_tokens - count, cached), prompt_tokens - len(ids)


def _prompt(request: Instance, choice: Choice, ids: list[int], prompts: Prompts) -> Mapping[str, Any]:
    if not request.media_list:
        return {"input_ids": ids}
    text, bos = choice.prompt.text, prompts.tokenizer.bos_token
    if bos and text.startswith(bos) and prompts.tokenizer("").input_ids[:1] == [prompts.tokenizer.bos_token_id]:
        text = text.removeprefix(bos)  # SGLang's processor writes it itself
    return {"text": text, "image_data": [media.data_url for media in request.media_list]}
