"""Answers and log-probabilities of a batch, from a loaded model of Transformers. Blocking."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from resources.models.decoding import Decoding, Ends, SeededNoise, cut
from resources.models.transformers_prompts import Choice, Prompt, Prompts, Refused

DEFAULT_MAX_TOKENS = 1024

Row = TypeVar("Row")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Scores:
    """logprobs: natural, of the choices of a group, in order."""

    logprobs: tuple[float, ...]
    prompt_tokens: int


class Stopped(Exception):
    """The generation was given up because nobody waits for it any more."""


class Runner:
    """A loaded model with its processor.

    max_length: most tokens of prompt and answer together; the model's own limit where it is lower.
    """

    def __init__(self, model: Any, processor: Any, max_length: int | None) -> None:
        self.model = model
        self.prompts = Prompts(processor)
        self.tokenizer = self.prompts.tokenizer
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self.max_length: int | None = min((n for n in (max_length, positions) if n), default=None)
        self.ends = _end_tokens(model, self.tokenizer)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token

    def generate(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        seeds: Sequence[int | None],
        abort: threading.Event,
    ) -> list[Answer | Refused]:
        """An answer to each prompt, greedy or drawn with its own seed.

        Without `max_tokens`: 1024, or half of a shorter context. Padding is on the left.
        Raises Stopped at the next token once `abort` is set.
        """
        room = decoding.max_tokens or min(DEFAULT_MAX_TOKENS, (self.max_length or 2 * DEFAULT_MAX_TOKENS) // 2)
        inputs, refused = self._fitting(prompts, room, "left")
        seeds = [seed for seed, no in zip(seeds, refused, strict=True) if no is None]
        answers = iter(self._generate(inputs, decoding, room, seeds, abort) if seeds else [])
        return [no or next(answers) for no in refused]

    def _generate(
        self,
        inputs: dict[str, Any],
        decoding: Decoding,
        room: int,
        seeds: Sequence[int | None],
        abort: threading.Event,
    ) -> list[Answer]:
        import torch
        from transformers import GenerationConfig, StoppingCriteriaList

        length = inputs["input_ids"].shape[1]
        ends = Ends(self.tokenizer, decoding.stop, length, abort)
        config = GenerationConfig(
            max_new_tokens=room,
            do_sample=False,  # sampling is greedy search over noisy logits, see SeededNoise
            pad_token_id=self.tokenizer.pad_token_id,
            eos_token_id=self.ends or None,
        )
        with torch.inference_mode():
            out = self.model.generate(
                **inputs,
                generation_config=config,
                logits_processor=_processors(decoding, seeds),
                stopping_criteria=StoppingCriteriaList([ends]),
            )
        if abort.is_set():
            raise Stopped
        prompt_tokens = inputs["attention_mask"].sum(1).tolist()
        return [
            self._answer(ids, prompt_tokens[row], ends.length.get(row), decoding.stop)
            for row, ids in enumerate(out[:, length:].tolist())
        ]

    def _answer(self, ids: list[int], prompt_tokens: int, stopped: int | None, stop: Sequence[str]) -> Answer:
        ended = next((n + 1 for n, token in enumerate(ids) if token in self.ends), None)
        length = min(n for n in (ended, stopped, len(ids)) if n is not None)
        text = cut(self.tokenizer.decode(ids[:length], skip_special_tokens=True), stop)
        reason = "length" if ended is None and stopped is None else "stop"
        return Answer(text, reason, prompt_tokens, length)

    def score(self, groups: Sequence[Sequence[Choice]]) -> list[Scores | Refused]:
        """Log-probabilities of choices; those of a group share all but their last token.

        The softmax is taken in float32 whatever the model's dtype is. Padding is on the right:
        each row's tokens then stand where they would stand alone, for every kind of position
        embedding, and what follows them cannot be seen.
        """
        import torch

        inputs, refused = self._fitting([group[0].prompt for group in groups], 0, "right")
        kept = [group for group, no in zip(groups, refused, strict=True) if no is None]
        if not kept:
            return [no for no in refused if no]
        lengths = [int(n) for n in inputs["attention_mask"].sum(1)]
        # The token at position p is predicted at p - 1; only those positions' logits are computed.
        longest = [max(len(choice.tokens) for choice in group) for group in kept]
        wanted = sorted({p for n, k in zip(lengths, longest, strict=True) for p in range(n - 1 - k, n - 1)})
        column = {position: number for number, position in enumerate(wanted)}
        if self.model.config.model_type == "paligemma":
            # Its prompt is read in both directions: what is marked 1 is not prompt, and seen by what follows it only.
            for row, (n, k) in enumerate(zip(lengths, longest, strict=True)):
                inputs["token_type_ids"][row, n - k : n] = 1
        with torch.inference_mode():
            logits = _logits(self.model, inputs, torch.tensor(wanted, device=self.model.device))
            results = []
            for row, (group, n, k) in enumerate(zip(kept, lengths, longest, strict=True)):
                columns = [column[p] for p in range(n - 1 - k, n - 1)]
                logprobs = logits[row, columns].float().log_softmax(-1).double().cpu()
                results.append(Scores(tuple(_total(logprobs, choice.tokens) for choice in group), n - k))
        scored = iter(results)
        return [no or next(scored) for no in refused]

    def _fitting(self, prompts: Sequence[Prompt], room: int, side: str) -> tuple[dict[str, Any], list[Refused | None]]:
        """Tensors of those prompts that leave `room` for an answer, and why the others are left out."""
        inputs = self.prompts.encode(prompts, side)
        lengths = inputs["attention_mask"].sum(1).tolist()
        refused = [self._too_long(length, room) for length in lengths]
        if any(refused) and not all(refused):
            inputs = self.prompts.encode([p for p, no in zip(prompts, refused, strict=True) if no is None], side)
        device, dtype = self.model.device, self.model.dtype
        tensors = {k: v.to(device, dtype if v.is_floating_point() else None) for k, v in inputs.items()}
        return tensors, refused

    def _too_long(self, tokens: int, room: int) -> Refused | None:
        if self.max_length is None or tokens + room <= self.max_length:
            return None
        answer = f" and {room} for the answer" if room else ""
        return Refused("too_long", f"{tokens} tokens{answer} are more than the {self.max_length} that fit")


def in_halves(work: Callable[[Sequence[Row]], list[Result | Refused]], rows: Sequence[Row]) -> list[Result | Refused]:
    """Results of a batch; where it is too large or a row spoils it, of its halves, down to one row.

    Only a row that fails alone is refused. Other exceptions than Refused and a lack of memory
    are not caught.
    """
    try:
        return work(rows)
    except Exception as error:
        refused = error if isinstance(error, Refused) else _out_of_memory(error)
        if refused is None:
            raise
    if len(rows) == 1:
        return [refused]
    _free_memory()  # here, where the exception no longer holds the tensors of its frames
    middle = len(rows) // 2
    return in_halves(work, rows[:middle]) + in_halves(work, rows[middle:])


def _out_of_memory(error: Exception) -> Refused | None:
    import torch

    # On the CPU torch raises a plain RuntimeError that names its allocator.
    if isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
        return Refused("out_of_memory", f"not enough memory even for this request alone: {error}")
    return None


def _free_memory() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _total(logprobs: Any, tokens: Sequence[int]) -> float:
    """Sum over the last rows of log-probabilities [positions, vocabulary], one row a token."""
    first = len(logprobs) - len(tokens)
    # Rounding may lift the log of a probability of 1 above 0.
    return min(0.0, float(sum(logprobs[first + n, token].item() for n, token in enumerate(tokens))))


def _logits(model: Any, inputs: dict[str, Any], wanted: Any) -> Any:
    """Logits at the wanted positions: [rows, len(wanted), vocabulary]."""
    import inspect

    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        return model(**inputs, use_cache=False, logits_to_keep=wanted).logits
    return model(**inputs, use_cache=False).logits[:, wanted]


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    ends = model.generation_config.eos_token_id
    if ends is None:
        ends = tokenizer.eos_token_id
    return list(ends) if isinstance(ends, (list, tuple)) else [] if ends is None else [ends]


def _processors(decoding: Decoding, seeds: Sequence[int | None]) -> Any:
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    chain: list[Any] = []
    if decoding.temperature > 0:
        chain.append(TemperatureLogitsWarper(decoding.temperature))
        if decoding.top_k:
            chain.append(TopKLogitsWarper(decoding.top_k))
        if decoding.top_p < 1:
            chain.append(TopPLogitsWarper(decoding.top_p))
        chain.append(SeededNoise(seeds))
    return LogitsProcessorList(chain)
