"""For tests of log-likelihoods over HTTP: a checkpoint with real subwords, a server, and a way to ask it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from resources.models.base import Instance, Media, Message, Requests, Response
from resources.models.concurrent import in_flight
from resources.models.loglikelihood import Post, poster
from resources.models.openai import OpenAIModel, Parse
from resources.models.transformers import TransformersModel
from tests.conftest import png

# Words whose tokens begin with a space ("Ġ3") reach over the border to the prompt, which ends in one.
SPANNING = ("3", "5", "left", "the digits")
SIGNS = ("%", "#", "&", "+")  # one token each, which no other joins
MIXED = ("3", "left of the digits", "% of 5", "Łódź, ≥ 5 日本", "5")


def checkpoint(folder: Path, seed: int = 0, *, first_token: bool = False) -> Path:
    """An untrained LLaVA of a million parameters whose weights are large enough to have opinions.

    first_token: its tokenizer writes `<s>` itself, as Llama's does, beside the chat template that does too.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    from examples.digits import model as tiny

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(tiny.SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(["Which digit is left of the digits 3 and 5?", " 3 5 7 left the digits"] * 50, trainer)
    if first_token:
        bpe.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    names = {"pad": tiny.PAD, "bos": tiny.BOS, "eos": tiny.EOS, "unk": tiny.UNKNOWN, "image": tiny.IMAGE}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        **{f"{name}_token": token for name, token in names.items()},
        extra_special_tokens=[tiny.USER, tiny.ASSISTANT],
        padding_side="left",
        model_max_length=tiny.POSITIONS,
    )
    model = tiny.build_model(tokenizer, seed)
    for weight in model.parameters():
        weight.data *= 3 if weight.dim() > 1 else 1
    tiny.save(model, tiny.build_processor(tokenizer), folder)
    return folder


def questions() -> list[Instance]:
    """Text, one picture, two pictures and a begun answer, each with the kinds of continuation."""
    pictures = [Media(png(number, 48), "image/png", str(number)) for number in (0x2050A0, 0xE0C010)]
    two = Message("user", (("media", 0), ("text", "and"), ("media", 1), ("text", "Which digit is left?")))
    shapes = {
        "text": Instance(prompt="Which digit is left?"),
        "picture": Instance(prompt="Which digit is left?", media_list=pictures[:1]),
        "other": Instance(prompt="Which digit is left?", media_list=pictures[1:]),
        "two": Instance(messages=(two,), media_list=pictures),
        "begun": Instance(messages=(two, Message("assistant", (("text", "The digit"),))), media_list=pictures),
    }
    return [
        # Whatever the task would draw answers with has no part in a likelihood.
        replace(shape, id=f"{name}-{kind}", continuations=texts, gen_kwargs={"temperature": 0.3, "max_tokens": 7})
        for name, shape in shapes.items()
        for kind, texts in {"spanning": SPANNING, "signs": SIGNS, "mixed": MIXED}.items()
    ]


Score = Callable[[Instance, Post], Awaitable[Response]]


class Asking(OpenAIModel):
    """Asks a server of any engine for log-likelihoods. sent: (path, body) of all requests."""

    def __init__(self, root: str, score: Score) -> None:
        super().__init__("served", base_url=f"{root}/v1", max_retries=0)
        self.root, self.score = root, score
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def loglikelihood(self, requests: Requests) -> AsyncGenerator[Response, None]:
        return in_flight(requests, lambda request: self.score(request, poster(self._asked, request)), 8)

    async def _ask(self, request: Instance, path: str, body: bytes, parse: Parse) -> Response:
        self.sent.append((path, json.loads(body)))
        return await super()._ask(request, self.root + path, body, parse)

    def scored(self, requests: Sequence[Instance]) -> dict[str, Response]:
        async def run() -> dict[str, Response]:
            async with self:
                return {response.id: response async for response in self.loglikelihood(requests)}

        return asyncio.run(run())


def exact(folder: Path, requests: Sequence[Instance]) -> dict[str, Response]:
    """The same by the Transformers backend in float32."""

    async def run() -> dict[str, Response]:
        async with TransformersModel(str(folder), device="cpu", dtype="float32") as model:
            return {response.id: response async for response in model.loglikelihood(requests)}

    return asyncio.run(run())


def ranking(response: Response) -> list[int]:
    values = response.loglikelihoods or ()
    return sorted(range(len(values)), key=lambda n: values[n])


@contextmanager
def serving(command: Sequence[str], log: Path, *, seconds: float, **environment: str) -> Iterator[str]:
    """The root of a server started with a free `--port`, once it is healthy; ended with all its processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = f"http://127.0.0.1:{port}"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            stdout=out, stderr=out, env={**os.environ, **environment}, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + seconds
        while not _healthy(root):
            assert process.poll() is None, f"it ended: {log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"not healthy in {seconds} s: {log.read_text()[-2000:]}"
            time.sleep(0.2)
        yield root
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _healthy(root: str) -> bool:
    try:
        with urllib.request.urlopen(f"{root}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def agreeing(asking: Asking, folder: Path, asked: Sequence[Instance]) -> dict[str, Response]:
    """What the server says, which is what Transformers says: values, ranking, token counts."""
    import pytest

    expected, found = exact(folder, asked), asking.scored(asked)
    for request in asked:
        ours, theirs = found[request.id], expected[request.id]
        assert ours.error is None
        assert ours.loglikelihoods == pytest.approx(theirs.loglikelihoods, abs=1e-4), request.id
        assert ranking(ours) == ranking(theirs)
        assert ours.continuation_tokens == theirs.continuation_tokens
        assert ours.usage["prompt_tokens"] == theirs.usage["prompt_tokens"]
    return found
