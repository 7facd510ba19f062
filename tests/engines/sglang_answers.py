"""What the stand-in for SGLang answers: `/generate` and chat completions by a checkpoint on Transformers."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resources.models.base import Instance, Media, Message, Part
from resources.models.decoding import Decoding
from resources.models.pictures import decode_picture
from resources.models.transformers_load import Source, load
from resources.models.transformers_prompts import Refused
from resources.models.transformers_run import Runner


class Invalid(ValueError):
    """A request that SGLang answers with status 400."""


@dataclass
class Counters:
    """What `/metrics` tells: totals since the start, and histograms as (sum, count)."""

    requests: int = 0
    prompt: int = 0
    cached: int = 0
    generated: int = 0
    first_token: float = 0.0
    running: int = 0


@dataclass
class Engine:
    """One checkpoint, one request at a time. Blocking, but for `__post_init__` all in `thread`."""

    path: str
    name: str
    dtype: str = "auto"
    context: int | None = None
    counters: Counters = field(default_factory=Counters)
    version: str = "default"

    def __post_init__(self) -> None:
        self.thread = ThreadPoolExecutor(1)
        self.load(self.path)

    def load(self, path: str) -> None:
        model, processor = load(Source(path, None, self.dtype, "cpu", None, False, False))
        self.runner, self.processor, self.path = Runner(model, processor, self.context), processor, path
        self.image_id = getattr(model.config, "image_token_id", None) or getattr(
            model.config, "image_token_index", None
        )
        self.cache: list[list[int]] = []

    # --- the model, in its thread -----------------------------------------------------------------

    def generate(self, body: dict[str, Any]) -> dict[str, Any]:
        """One request of `/generate`."""
        started = time.perf_counter()
        inputs, pictures = self._inputs(body)
        params = body.get("sampling_params") or {}
        room, ids = int(params.get("max_new_tokens", 128)), inputs["input_ids"][0].tolist()
        if self.runner.max_length and len(ids) >= self.runner.max_length:
            raise Invalid(
                f"The input ({len(ids)} tokens) is longer than the model's context length "
                f"({self.runner.max_length} tokens)."
            )
        start = int(body.get("logprob_start_len", -1)) if body.get("return_logprob") else -1
        if start >= len(ids):
            raise Invalid(f"logprob_start_len ({start}) is higher than the number of input tokens ({len(ids)})")
        cached = self._remember(ids, pictures, len(ids) - 1 if start < 0 else start)
        decoding = Decoding(room, float(params.get("temperature", 1.0)), stop=tuple(params.get("stop") or ()))
        answer = self.runner._generate(inputs, decoding, room, [params.get("sampling_seed")], threading.Event())[0]
        self._count(len(ids), cached, answer.completion_tokens, started)
        info = {
            "id": hashlib.sha256(str(time.time_ns()).encode()).hexdigest()[:32],
            "finish_reason": {"type": answer.finish_reason},
            "prompt_tokens": len(ids),
            "weight_version": self.version,
            "completion_tokens": answer.completion_tokens,
            "cached_tokens": cached,
            "e2e_latency": time.perf_counter() - started,
        }
        if body.get("return_logprob"):
            info["input_token_logprobs"] = self._logprobs(inputs, ids, start) if start >= 0 else []
        return {"text": answer.text, "meta_info": info}

    def _inputs(self, body: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        import torch

        if ("text" in body) == ("input_ids" in body):
            raise Invalid("Either text, input_ids or input_embeds should be provided.")
        given = body.get("image_data") or []
        pictures = [_bytes(one) for one in (given if isinstance(given, list) else [given])]
        if not pictures:
            ids = body.get("input_ids") or self.runner.tokenizer(body["text"])["input_ids"]
            tensor = torch.tensor([ids])
            return {"input_ids": tensor, "attention_mask": torch.ones_like(tensor)}, pictures
        text = body.get("text") or self.runner.tokenizer.decode(body["input_ids"])
        images = [decode_picture(Media(data, "image/png")) for data in pictures]
        return dict(self.processor(text=[text], images=images, return_tensors="pt")), pictures

    def _remember(self, ids: list[int], pictures: list[bytes], most: int) -> int:
        """How many tokens at the prompt's beginning are in the radix cache, of at most so many."""
        number = int(hashlib.sha256(b"".join(pictures)).hexdigest()[:12], 16) + 10**6
        key = [number if token == self.image_id else token for token in ids]
        cached = max((_common(key, known) for known in self.cache), default=0)
        self.cache.append(key)
        return min(cached, most)

    def _logprobs(self, inputs: dict[str, Any], ids: list[int], start: int) -> list[list[Any]]:
        import torch

        with torch.inference_mode():
            logits = self.runner.model(**inputs, use_cache=False).logits[0].float().log_softmax(-1)
        values = [None, *(logits[n - 1, ids[n]].item() for n in range(start + 1, len(ids)))]
        shown = [0 if token == self.image_id else token for token in ids[start:]]
        return [[value, token, None] for value, token in zip(values, shown, strict=True)]

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """One request of `/v1/chat/completions`."""
        started, names = time.perf_counter(), ("max_tokens", "temperature", "top_p", "top_k", "stop", "seed")
        instance = _instance(body)
        decoding = Decoding.of({name: body[name] for name in names if body.get(name) is not None})
        prompt = self.runner.prompts.prompt(instance.turns(), instance.media_list)
        count = int(body.get("n") or 1)
        found = [
            self.runner.generate([prompt], decoding, [body.get("seed")], threading.Event())[0] for _ in range(count)
        ]
        answers = [_answered(answer) for answer in found]
        ids = self.runner.prompts.encode([prompt], "left")["input_ids"][0].tolist()
        cached = self._remember(ids, [media.data for media in instance.media_list], len(ids) - 1)
        generated = sum(answer.completion_tokens for answer in answers)
        self._count(len(ids), cached, generated, started)
        choices = [
            {
                "index": number,
                "message": {"role": "assistant", "content": a.text, "reasoning_content": None, "tool_calls": None},
                "logprobs": self._chosen(instance, a.text) if body.get("logprobs") else None,
                "finish_reason": a.finish_reason,
                "matched_stop": None,
            }
            for number, a in enumerate(answers)
        ]
        usage = {
            "prompt_tokens": len(ids),
            "total_tokens": len(ids) + generated,
            "completion_tokens": generated,
            "prompt_tokens_details": {"cached_tokens": cached},
            "reasoning_tokens": 0,
        }
        head = {"id": "0", "object": "chat.completion", "created": int(time.time()), "model": self.name}
        return {**head, "choices": choices, "usage": usage, "metadata": {"weight_version": self.version}}

    def _chosen(self, instance: Instance, text: str) -> dict[str, Any]:
        """The answer's tokens with their log-probabilities, as chat completions give them."""
        if not text.strip():
            return {"content": []}
        whole = self.runner.prompts.choice(instance.turns(), instance.media_list, text)
        inputs = self.runner.prompts.encode([whole.prompt], "left")
        ids = inputs["input_ids"][0].tolist()
        values = self._logprobs(inputs, ids, len(ids) - len(whole.tokens) - 1)[1:]
        words = [self.runner.tokenizer.decode([token]) for token in whole.tokens]
        return {
            "content": [
                {"token": word, "logprob": value, "bytes": None, "top_logprobs": []}
                for word, (value, *_) in zip(words, values, strict=True)
            ]
        }

    def _count(self, prompt: int, cached: int, generated: int, started: float) -> None:
        c = self.counters
        c.requests, c.prompt, c.cached = c.requests + 1, c.prompt + prompt, c.cached + cached
        c.generated, c.first_token = c.generated + generated, c.first_token + time.perf_counter() - started

    def update(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            self.load(str(body["model_path"]))
        except Exception as error:  # whatever is wrong with the checkpoint, SGLang says it and goes on
            raise Invalid(f"Failed to update model weights: {error}") from error
        self.version = body.get("weight_version") or self.version
        return {"success": True, "message": "Succeeded to update model weights.", "num_paused_requests": 0}


def _common(a: list[int], b: list[int]) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _bytes(given: str) -> bytes:
    if given.startswith("file://"):
        return Path(given.removeprefix("file://")).read_bytes()
    return base64.b64decode(given.split(",", 1)[-1])


def _answered(answer: Any) -> Any:
    if isinstance(answer, Refused):
        raise Invalid(
            f"Requested token count exceeds the model's maximum context length: {answer}"
            if answer.kind == "too_long"
            else str(answer)
        )
    return answer


def _instance(body: dict[str, Any]) -> Instance:
    media: list[Media] = []

    def part(given: dict[str, Any]) -> Part:
        if given["type"] == "text":
            return ("text", given["text"])
        if given["type"] != "image_url":
            raise Invalid(f"{given['type']} is not supported by this model")
        media.append(Media(_bytes(given["image_url"]["url"]), "image/png"))
        return ("media", len(media) - 1)

    def parts(content: Any) -> tuple[Part, ...]:
        return (("text", content),) if isinstance(content, str) else tuple(part(one) for one in content)

    turns = tuple(Message(turn["role"], parts(turn["content"])) for turn in body["messages"])
    if turns[-1].role == "assistant" and not body.get("continue_final_message"):
        turns = (*turns, Message("user", (("text", ""),)))
    return Instance(messages=turns, media_list=media)
