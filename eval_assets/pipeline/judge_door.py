"""Who stands behind the door that lmms-eval's functions ask: a judge model of evals.yaml, with a memory.

Questions come one by one, from other people's code and as bodies of HTTP requests; they go out like those of every
other judge: within the budget and the pace of one run, counted and priced.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from eval_assets.pipeline.judge_models import JudgeModel
from eval_assets.pipeline.judging import AskedModel
from eval_assets.versions import digest
from judges.llm_base import NOT_REACHED
from resources.models import LMM, Instance, Media, Message, ModelUnusable, Response
from resources.models.reasoning import separated
from resources.store import Store
from resources.store.records import judge_answers
from task_defs.lmms_eval.endpoint import QuestionFailed

# Fields of a request that are about the way and not the answer. The model is whom evals.yaml names.
_ASIDE = ("model", "messages", "n", "stream", "user", "timeout", "extra_headers")
_KINDS = {"image_url": "picture", "video_url": "video"}


class JudgeDoor:
    """One judge model for one run, opened with the first question that is not known. Used from any thread."""

    def __init__(self, model: JudgeModel, store: Store, log: Callable[[str], None]) -> None:
        self.model, self.log, self.done = model, log, AskedModel()
        self._table = judge_answers(store)
        self._known: dict[str, str] = {row["key"]: row["answer"] for row in self._table.rows()}
        self._open = ExitStack()
        self._ask: Callable[[Instance], Response] | None = None
        self._lock = Lock()

    def answer(self, body: Mapping[str, Any]) -> str:
        """See `task_defs.lmms_eval.endpoint.Behind`. What is answered is kept; what failed is asked again."""
        request = instance_of(body)
        key = digest(["lmms_eval", self.model.identity, {k: v for k, v in body.items() if k != "model"}])
        with self._lock:  # as the functions ask them: one after another
            if key not in self._known:
                self._keep(key, _completion(self._asked(request), self.model))
            else:
                self.done.reused += 1
            return self._known[key]

    def close(self) -> None:
        self._open.close()
        self._ask = None
        if self.done.asked:
            self.log(self.done.line(self.model))

    def _asked(self, request: Instance) -> Response:
        if not self.done.problem:
            try:
                response = separated(self._opened()(request), self.model.reasoning_tags)
            except ModelUnusable as error:
                self.done.problem = str(error)
            else:
                return self._counted(response)
        raise QuestionFailed(f"{NOT_REACHED}: {self.model.name}: {self.done.problem}")

    def _counted(self, response: Response) -> Response:
        try:
            kept = self.done.failures.kept(response)
        except ModelUnusable as error:
            self.done.problem, kept = str(error), False
        if response.error is None:
            self.done.asked += 1
            self.done.spend.add(response.usage)
            return response
        reason = f"{self.model.name}: {response.error.kind}: {response.error.message}"
        raise QuestionFailed(f"judge error: {reason}" if kept else f"{NOT_REACHED}: {reason}")

    def _opened(self) -> Callable[[Instance], Response]:
        """The model in an event loop of its own thread: functions wait for an answer in theirs."""
        from anyio.from_thread import start_blocking_portal

        if self._ask is None:
            portal = self._open.enter_context(start_blocking_portal())
            model = self._open.enter_context(portal.wrap_async_context_manager(self.model.model(self.log)))
            self._ask = lambda request: portal.call(_one, model, self._sent(request))
        return self._ask

    def _sent(self, request: Instance) -> Instance:
        skipped = self.model.not_taken
        gen = {name: value for name, value in request.gen_kwargs.items() if name not in skipped}
        return Instance(messages=request.messages, media_list=request.media_list, gen_kwargs=gen, id="door")

    def _keep(self, key: str, answer: str) -> None:
        self._known[key] = answer
        self._table.upsert([{"key": key, "answer": answer, "at": datetime.now(UTC)}])


async def _one(model: LMM, request: Instance) -> Response:
    async for response in model.generate_until([request]):
        return response
    raise AssertionError("one request has one response")  # pragma: no cover


def instance_of(body: Mapping[str, Any]) -> Instance:
    """The body of a request for a chat completion as one to a model. Raises QuestionFailed for what it cannot be."""
    if body.get("stream") or body.get("n") not in (None, 1):
        raise QuestionFailed("judge error: the function asks for a stream or several answers, which cannot be kept")
    if tools := {"tools", "functions"} & set(body):
        raise QuestionFailed(f"judge error: the function's question holds {', '.join(tools)}, which is not passed on")
    media: list[Media] = []
    try:
        messages = tuple(Message(m["role"], _parts(m["content"], media)) for m in body["messages"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        shown = f"{type(error).__name__}: {error}"
        raise QuestionFailed(f"judge error: the function's question cannot be passed on: {shown}") from error
    return Instance(
        messages=messages, media_list=media, gen_kwargs={k: v for k, v in body.items() if k not in _ASIDE}
    )  # fmt: skip


def _parts(content: Any, media: list[Media]) -> tuple[tuple[str, str | int], ...]:
    """The parts of a message; its media are added to `media`."""
    parts: list[tuple[str, str | int]] = []
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        if (kind := part.get("type", "text")) == "text":
            parts.append(("text", part["text"]))
            continue
        parts.append(("media", len(media)))
        media.append(_medium(kind, part[kind]))
    return tuple(parts)


def _medium(kind: str, value: Any) -> Media:
    if kind == "input_audio":
        return Media(base64.b64decode(value["data"]), f"audio/{value['format']}")
    if kind not in _KINDS:
        raise ValueError(f"a part of type {kind!r}")
    head, _, data = (value if isinstance(value, str) else value["url"]).partition(";base64,")
    if not data or not head.startswith("data:"):
        raise ValueError(f"a {_KINDS[kind]} by its address, which is not fetched")
    try:
        return Media(base64.b64decode(data, validate=True), head.removeprefix("data:"))
    except binascii.Error as error:
        raise ValueError(f"a {_KINDS[kind]} that is no base64: {error}") from error


def _completion(response: Response, model: JudgeModel) -> str:
    """A response as the endpoint of a chat completion tells it."""
    message = {"role": "assistant", "content": response.text}
    usage = {name: response.usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens")}
    return json.dumps(
        {
            "id": "kept", "object": "chat.completion", "created": int(time.time()), "model": model.point.source,
            "choices": [{"index": 0, "message": message, "finish_reason": response.finish_reason}],
            "usage": {**usage, "total_tokens": sum(usage.values())},
        },
        ensure_ascii=False,
    )  # fmt: skip
