"""Training batches: random pairs of training scans with a random question each.

Made with the task's own ``compose`` functions, from the scans that no test picture has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from examples.digits.model import ASSISTANT, BOS, EOS, IMAGE, MEAN, PATCH, SIDE, STD, USER
from task_defs.catalog.digits import compose

# A training turn that the task does not ask: it ties a digit's name to its place.
READ = "Read the digits."
KINDS = ("read", *compose.QUESTIONS)


def words() -> list[str]:
    """Every word and mark of the questions and answers, for the tokenizer."""
    texts = [READ, *compose.QUESTIONS.values(), "yes no", *map(str, range(19))]
    return sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text)})


def turn(kind: str, left: int, right: int) -> tuple[str, str]:
    """Question and answer of one kind about a picture of these two digits."""
    if kind == "read":
        return READ, f"{left} {right}"
    return compose.QUESTIONS[kind], compose.answer(kind, left, right)


def encode(tokenizer: Any, question: str, answer: str) -> tuple[list[int], int]:
    """Token ids of a whole conversation, and how many of them at the end are the answer's.

    The same tokens as the chat template and the processor make (a test compares them).
    """
    images = IMAGE * ((SIDE // PATCH) ** 2)
    prompt = tokenizer.encode(f"{BOS}{USER} {images}{question} {ASSISTANT}", add_special_tokens=False)
    reply = tokenizer.encode(f"{answer}{EOS}", add_special_tokens=False)
    return prompt + reply, len(reply)


def pixel_values(grey: Any) -> Any:
    """Grey levels [n, 48, 48] as the processor would give them: float32 [n, 3, 48, 48]."""
    scaled = (grey.astype(np.float32) / 255.0 - MEAN) / STD
    return np.repeat(scaled[:, None], 3, axis=1)


@dataclass(frozen=True)
class Batch:
    """input_ids, labels: int64 [n, length], padded on the right; -100 where no loss is taken."""

    input_ids: Any
    attention_mask: Any
    labels: Any
    pixel_values: Any


def batches(tokenizer: Any, size: int, seed: int) -> Iterator[Batch]:
    """Endless random batches, the same for the same seed."""
    rng = np.random.default_rng(seed)
    scans, labels = compose.scans()
    train, _ = compose.split(len(scans))
    turns: dict[tuple[str, int, int], tuple[list[int], int]] = {
        (kind, left, right): encode(tokenizer, *turn(kind, left, right))
        for kind in KINDS
        for left in range(10)
        for right in range(10)
    }
    while True:
        pairs = rng.choice(train, size=(size, 2))
        low = rng.integers(0, 2, size=(size, 2))
        kinds = rng.choice(KINDS, size=size)
        grey = np.stack(
            [
                compose.picture(scans[a], scans[b], left_low=bool(x), right_low=bool(y))
                for (a, b), (x, y) in zip(pairs, low, strict=True)
            ]
        )
        rows = [turns[str(kind), int(labels[a]), int(labels[b])] for kind, (a, b) in zip(kinds, pairs, strict=True)]
        yield _collate(rows, grey, tokenizer.pad_token_id)


def _collate(rows: list[tuple[list[int], int]], grey: Any, pad: int) -> Batch:
    length = max(len(ids) for ids, _ in rows)
    input_ids = np.full((len(rows), length), pad, dtype=np.int64)
    labels = np.full((len(rows), length), -100, dtype=np.int64)
    for row, (ids, reply) in enumerate(rows):
        input_ids[row, : len(ids)] = ids
        labels[row, len(ids) - reply : len(ids)] = ids[-reply:]
    return Batch(input_ids, (input_ids != pad).astype(np.int64), labels, pixel_values(grey))
