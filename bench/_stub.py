"""An endpoint that speaks OpenAI's chat completions, in a process of its own, and counts.

    python bench/_stub.py PORT_FILE [--delay SECONDS] [--echo]

Answers every chat completion after `--delay` seconds; with `--echo` the answer is the question's
last word, otherwise the constant ANSWER. `GET /counts` tells what it saw; `POST /counts` starts
counting anew and returns what there was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import deque
from pathlib import Path
from typing import Any

from aiohttp import web

ANSWER = "4"


class Counter:
    """requests: received; answered: replies handed to the socket; bytes: of request bodies and headers."""

    def __init__(self) -> None:
        self.requests = self.answered = self.bytes = 0
        self.times: deque[float] = deque(maxlen=100_000)

    def counts(self) -> dict[str, int]:
        since = time.monotonic() - 1
        recent = sum(1 for at in self.times if at >= since)
        return {
            "requests": self.requests,
            "answered": self.answered,
            "bytes": self.bytes,
            "in_the_last_second": recent,
        }


def application(delay: float, echo: bool) -> web.Application:
    app = web.Application(client_max_size=2**30)
    state = {"counter": Counter()}

    async def complete(request: web.Request) -> web.Response:
        counter = state["counter"]
        counter.requests += 1
        body = await request.read()
        counter.bytes += len(body) + sum(len(k) + len(v) + 4 for k, v in request.raw_headers)
        text = last_word(json.loads(body)) if echo else ANSWER
        if delay:
            await asyncio.sleep(delay)
        counter.answered += 1
        counter.times.append(time.monotonic())
        return web.Response(body=reply(text), content_type="application/json")

    async def counts(request: web.Request) -> web.Response:
        found = state["counter"].counts()
        if request.method == "POST":
            state["counter"] = Counter()
        return web.json_response(found)

    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_route("*", "/counts", counts)
    return app


def last_word(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    if isinstance(content, list):
        content = " ".join(part["text"] for part in content if part["type"] == "text")
    return str(content).split()[-1]


def reply(text: str) -> bytes:
    """A completion with all the fields that the `openai` client wants to see."""
    message = {"role": "assistant", "content": text}
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "stub",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101},
    }
    return json.dumps(completion).encode()


async def serve(port_file: Path, delay: float, echo: bool) -> None:
    runner = web.AppRunner(application(delay, echo), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    temporary = port_file.with_suffix(".tmp")
    temporary.write_text(str(port))
    temporary.rename(port_file)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port_file", type=Path)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--echo", action="store_true")
    options = parser.parse_args()
    asyncio.run(serve(options.port_file, options.delay, options.echo))


if __name__ == "__main__":
    main()
