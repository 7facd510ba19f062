"""Any vision-language or text model of Hugging Face Transformers, in this process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeVar

from resources.models.base import LMM, Instance, Requests, Response, ResponseError
from resources.models.batching import batched
from resources.models.conversion import DEFAULT_TIMEOUT
from resources.models.decoding import Decoding, seeded
from resources.models.loglikelihood import Scored, response_of
from resources.models.transformers_load import Source, load
from resources.models.transformers_prompts import Choice, Prompt, Prompts, Refused, instead_of
from resources.models.transformers_run import Answer, Runner, Stopped, in_halves

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")
Work = Callable[[Sequence[Instance], threading.Event], list[Response]]


class TransformersModel(LMM):
    """A checkpoint in Hugging Face format, answered in batches in a thread of its own.

    pretrained: a directory, or a hub id with its `revision`.
    dtype:      `auto` (as the checkpoint says), `float32`, `bfloat16` ...
    device:     `auto` (CUDA where there is one, else CPU), `cpu`, `cuda:1` ...
    batch_size: requests answered together; halved and tried again where memory does not suffice.
    max_length: most tokens of prompt and answer; the model's own limit where that is lower.
    attn_implementation: `eager`, `sdpa`, `flash_attention_2` ...; None: Transformers' choice.
    trust_remote_code: run Python code that comes with the checkpoint.
    allow_pickle: load pickled weights, which can run any code when they are opened.
    base:       of an adapter, in place of the base model that its configuration names.
    convert, convert_timeout: see `resources.models.conversion`.

    Greedy unless a request has a temperature above 0; then each request is drawn with its own
    `seed` (without one, with one made from its id), and neither the batch it is in nor its place
    there matters. Sampling defaults that the
    model ships (`generation_config.json`) are not applied.
    """

    no_video = f"the transformers backend takes no whole videos: {instead_of('video')}"

    def __init__(
        self,
        pretrained: str,
        *,
        revision: str | None = None,
        dtype: str = "auto",
        device: str = "auto",
        batch_size: int = 16,
        max_length: int | None = None,
        attn_implementation: str | None = None,
        trust_remote_code: bool = False,
        allow_pickle: bool = False,
        base: str | None = None,
        convert: Sequence[str] = (),
        convert_timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        self.source = Source(
            str(pretrained), revision, dtype, device, attn_implementation, trust_remote_code, allow_pickle,
            base, tuple(convert), convert_timeout,
        )  # fmt: skip
        self.batch_size = max(1, int(batch_size))
        self.max_length = max_length
        self._runner: Runner | None = None
        # One thread: two batches at once would share the memory and gain nothing.
        self._thread: ThreadPoolExecutor | None = None

    @property
    def engine(self) -> Mapping[str, Any]:
        return {
            "name": "transformers",
            "version": metadata.version("transformers"),
            "torch": metadata.version("torch"),
            "dtype": self.source.dtype,
            "device": self.source.device,
            "attn": self.source.attn_implementation or "default",
            "max_length": self.max_length,
        }

    async def __aenter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="transformers")
        try:
            self._runner = await self._in_thread(self._load)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        thread, self._thread, self._runner = self._thread, None, None
        if thread:
            # Not waited for: a model that is still loading cannot be interrupted.
            thread.shutdown(wait=False, cancel_futures=True)

    def generate_until(self, requests: Requests) -> AsyncGenerator[Response, None]:
        return self._answer(requests, self._generate)

    def loglikelihood(self, requests: Requests) -> AsyncGenerator[Response, None]:
        return self._answer(requests, self._score)

    async def _answer(self, requests: Requests, work: Work) -> AsyncGenerator[Response, None]:
        async with aclosing(batched(requests, self.batch_size, _alike)) as batches:
            async for batch in batches:
                for response in await self._batch(batch, work):
                    yield response

    async def _batch(self, batch: list[Instance], work: Work) -> list[Response]:
        start = time.monotonic()
        abort = threading.Event()
        try:
            responses = await self._in_thread(work, batch, abort)
        finally:
            abort.set()  # where this is cancelled, the thread stops at its next token
        seconds = {"total": time.monotonic() - start}
        return [replace(response, timings=seconds) for response in responses]

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        if self._thread is None:
            raise RuntimeError("the model is not loaded: use it as `async with model: ...`")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    # In the thread

    def _load(self) -> Runner:
        model, processor = load(self.source)
        return Runner(model, processor, self.max_length)

    def _loaded(self) -> Runner:
        if self._runner is None:
            raise RuntimeError("the model has been closed")
        return self._runner

    def _generate(self, batch: Sequence[Instance], abort: threading.Event) -> list[Response]:
        runner = self._loaded()
        try:
            decoding = Decoding.of(batch[0].gen_kwargs)
        except (ValueError, TypeError) as error:
            return [_failed(request, Refused("bad_request", str(error))) for request in batch]
        prompts = [_or_refused(_prompt, runner.prompts, request) for request in batch]
        rows = [(n, prompt) for n, prompt in enumerate(prompts) if isinstance(prompt, Prompt)]

        def generate(some: Sequence[tuple[int, Prompt]]) -> list[Answer | Refused]:
            seeds = [seeded(batch[n]).gen_kwargs.get("seed") for n, _ in some]
            return runner.generate([prompt for _, prompt in some], decoding, seeds, abort)

        found: list[Any] = list(prompts)
        for (n, _), answer in zip(rows, in_halves(generate, rows) if rows else [], strict=True):
            found[n] = answer
        return [_answered(request, answer) for request, answer in zip(batch, found, strict=True)]

    def _score(self, batch: Sequence[Instance], abort: threading.Event) -> list[Response]:
        runner = self._loaded()
        groups: dict[tuple[Any, ...], list[Choice]] = {}
        choices: list[list[Choice] | Refused] = []
        for request in batch:
            found = _or_refused(_choices, runner.prompts, request)
            choices.append(found)
            for choice in found if isinstance(found, list) else ():
                groups.setdefault(choice.shared, []).append(choice)
        rows = list(groups.values())
        scores: dict[int, Scored | Refused] = {}
        for start in range(0, len(rows), self.batch_size):
            some = rows[start : start + self.batch_size]
            if abort.is_set():
                raise Stopped
            for group, result in zip(some, in_halves(runner.score, some), strict=True):
                for n, choice in enumerate(group):
                    scores[id(choice)] = (
                        result
                        if isinstance(result, Refused)
                        else Scored(result.logprobs[n], len(choice.tokens), result.prompt_tokens)
                    )
        return [
            _failed(request, found) if isinstance(found, Refused) else _scored(request, [scores[id(c)] for c in found])
            for request, found in zip(batch, choices, strict=True)
        ]


def _alike(request: Instance) -> Hashable:
    """A batch shares generation parameters, but for the seed, and has media in every request or in none."""
    shared = tuple(sorted((k, repr(v)) for k, v in request.gen_kwargs.items() if k != "seed"))
    return (shared, bool(request.media_list))


def _prompt(prompts: Prompts, request: Instance) -> Prompt:
    return prompts.prompt(request.turns(), request.media_list, _template(request))


def _choices(prompts: Prompts, request: Instance) -> list[Choice]:
    turns, media, template = request.turns(), request.media_list, _template(request)
    return [prompts.choice(turns, media, continuation, template) for continuation in request.continuations]


def _template(request: Instance) -> Mapping[str, Any]:
    return request.gen_kwargs.get("chat_template_kwargs") or {}


def _or_refused(work: Callable[..., T], *args: object) -> T | Refused:
    try:
        return work(*args)
    except Refused as refused:
        return refused


def _answered(request: Instance, answer: Any) -> Response:
    if isinstance(answer, Refused):
        return _failed(request, answer)
    usage = {"prompt_tokens": answer.prompt_tokens, "completion_tokens": answer.completion_tokens}
    return Response(request.id, answer.text, answer.finish_reason, usage)


def _scored(request: Instance, scores: Sequence[Scored | Refused]) -> Response:
    if refused := next((score for score in scores if isinstance(score, Refused)), None):
        return _failed(request, refused)
    return response_of(request, [score for score in scores if not isinstance(score, Refused)])


def _failed(request: Instance, refused: Refused) -> Response:
    error = ResponseError(refused.kind, str(refused), retryable=False)
    return Response(request.id, finish_reason="error", error=error)
