"""Whether an engine answers after a swap of weights exactly as it does after a cold start."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.ingest import media_of
from eval_assets.pipeline.media_pool import MediaPool
from eval_assets.pipeline.questions import media_policy, questions
from resources.engines.launch import SERVED, engine_version, launch
from resources.engines.lease import Lease, Want
from resources.engines.slots import Slot, slots
from resources.engines.swap import SWAPPABLE_ENV, SwapFailed, keep_qualification, swap_key, swap_weights
from resources.models.base import Instance, Message, ModelUnusable
from resources.models.checkpoint import Checkpoint
from resources.models.configured import load_models
from resources.models.merging import WEIGHT_ARGS, served_weights
from resources.models.openai_wire import chat_body
from resources.store import Store
from task_defs import TaskDef

if TYPE_CHECKING:
    import aiohttp

    from resources.engines.options import EngineOptions

# Largest difference of a token's log-probability that still counts as the same computation.
TOLERANCE = 1e-5
TOKENS = 16

# The answer's text, and the natural-log probability of each of its tokens.
Answer = tuple[str, tuple[float, ...]]


@dataclass(frozen=True)
class Qualified:
    """passed: every canary's text equal and every log-probability within TOLERANCE, in both directions.

    equal: canaries with the same text in as many tokens, of `canaries` in each direction; largest: difference of a
    log-probability (natural log); why: of a swap that the engine refused.
    """

    passed: bool
    canaries: int
    equal: tuple[int, ...]
    largest: float
    engine: str
    why: str = ""


def qualify_swap(
    store: Store, a: Checkpoint, b: Checkpoint, task: TaskDef, *, limit: int, log: Callable[[str], None]
) -> Qualified:
    """Compare swaps a → b → a with cold starts on a task's first questions, and keep what was found.

    The canaries are asked of a first, so that its caches are full when b's weights come. Asked one
    after another: a batch of another size may round otherwise. Raises ModelUnusable.
    """
    options = load_models().engine(a.model, {k: v for k, v in a.model_args.items() if k not in WEIGHT_ARGS})
    version = engine_version(options)
    folders = [Path(served_weights(p.source, p.model_args, fingerprint=p.fingerprint or "")) for p in (a, b)]
    keys = [swap_key(options, version, folder) if folder.is_dir() else "" for folder in folders]
    if a.model != b.model or keys[0] != keys[1] or not keys[0]:
        raise ModelUnusable(
            f"{a.key} and {b.key} are not the same engine and architecture: every file but the weights must be equal"
        )
    canaries = _canaries(store, task, limit)
    found = asyncio.run(_compare(options, folders, canaries, log))
    result = replace(found, engine=f"{options.kind} {version}")
    keep_qualification(
        keys[0], {**asdict(result), "of": [a.key, b.key], "at": datetime.now(UTC).isoformat(timespec="seconds")}
    )
    return result


def _canaries(store: Store, task: TaskDef, limit: int) -> list[bytes]:
    """Bodies of chat completions that ask for log-probabilities too."""
    asked = list(islice((q for batch in questions(store, task) for q in batch), limit))
    pool = MediaPool(media_of(store, task), media_policy(task))
    parameters = {"max_tokens": TOKENS, "temperature": 0.0, "logprobs": True, "top_logprobs": 1}
    bodies = []
    for batch in pool.within([(q, None) for q in asked], 2**28):
        for question, _ in batch:
            given = pool.given(question)
            *before, last = given.messages
            lengthened = replace(last, parts=(*last.parts, ("text", _filler(last))))
            instance = Instance(messages=(*before, lengthened), media_list=given.media, gen_kwargs=parameters)
            bodies.append(chat_body(instance, SERVED, "max_tokens", {}))
    if not bodies:
        raise ModelUnusable(f"task {task.task} has no items to ask: ingest it, or name another with --task")
    return bodies


def _filler(message: Message) -> str:
    """Its words again until there are 300: a prompt has to fill blocks of the prefix cache to show a stale one."""
    words = " ".join(str(value) for kind, value in message.parts if kind == "text").split() or ["describe"]
    return " " + " ".join(islice(cycle(words), 300))


async def _compare(
    options: EngineOptions, folders: Sequence[Path], canaries: Sequence[bytes], log: Callable[[str], None]
) -> Qualified:
    (slot, *_) = slots(load_models().slots, options.devices)
    async with _started(options, folders[1], slot, log) as lease:
        cold_b = await _answers(lease.url, canaries)
    async with _started(options, folders[0], slot, log) as lease:
        cold_a = await _answers(lease.url, canaries)
        swapped = []
        for folder in (folders[1], folders[0]):
            try:
                await asyncio.to_thread(swap_weights, lease.url, options.kind, str(folder))
            except SwapFailed as error:
                return Qualified(False, len(canaries), (), float("nan"), "", str(error))
            swapped.append(await _answers(lease.url, canaries))
    pairs = [list(zip(swapped[0], cold_b, strict=True)), list(zip(swapped[1], cold_a, strict=True))]
    equal = tuple(sum(s[0] == c[0] and len(s[1]) == len(c[1]) for s, c in direction) for direction in pairs)
    largest = max((_apart(s, c) for direction in pairs for s, c in direction), default=0.0)
    passed = all(n == len(canaries) for n in equal) and largest <= TOLERANCE
    return Qualified(passed, len(canaries), equal, largest, "")


def _apart(one: Answer, other: Answer) -> float:
    return max((abs(p - q) for p, q in zip(one[1], other[1], strict=False)), default=0.0)


def _started(options: EngineOptions, folder: Path, slot: Slot, log: Callable[[str], None]) -> Lease:
    """An engine of its own: nobody else's key is the same, so nobody gets what a failed swap leaves."""
    made = launch(options, str(folder), devices=slot.devices)
    env = made.env | SWAPPABLE_ENV[made.kind]
    key = f"qualify {folder} {os.getpid()}"
    want = Want(key, f"{folder.name} (to qualify a swap)", "qualify-swap", made.kind, made.command, env,
                options.start_timeout, options.idle_minutes)  # fmt: skip
    return Lease(slot, want, log)


async def _answers(url: str, canaries: Sequence[bytes]) -> list[Answer]:
    import aiohttp

    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:
        return [await _answer(session, url, body) for body in canaries]


async def _answer(session: aiohttp.ClientSession, url: str, body: bytes) -> Answer:
    async with session.post(f"{url}/v1/chat/completions", data=body) as reply:
        content: dict[str, Any] = json.loads(await reply.read())
    if reply.status != 200:
        raise ModelUnusable(f"a canary was refused ({reply.status}): {str(content)[:300]}")
    choice = content["choices"][0]
    return choice["message"]["content"] or "", tuple(token["logprob"] for token in choice["logprobs"]["content"])
