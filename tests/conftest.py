"""Shared by all tests: a store, tasks made from rows, pictures, and an endpoint that really answers."""

from __future__ import annotations

import asyncio
import json
import signal
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from resources.store import Store
from task_defs import TaskDef, load_task

# A shell's background jobs ignore Ctrl-C, and so would every process that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_ENVIRONMENT = ("EVAL_HOME", "EVAL_DATA", "EVAL_TASK_PATH", "EVAL_CONFIG", "EVAL_CACHE_BY_COMMIT")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the shell that runs the tests reaches them."""
    for name in (*_ENVIRONMENT, "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def png(number: int, edge: int = 4) -> bytes:
    """A small picture; each number gives other bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    color = bytes([number % 256, number // 256 % 256, number // 65536 % 256])
    rows = b"".join(b"\0" + color * edge for _ in range(edge))
    header = struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture(name="png")
def _png() -> Callable[..., bytes]:
    return png


class TaskFolder:
    """A folder with a task's YAML, its rows and its pictures.

    `folder.rows([...])` writes the rows; `folder.task(judge=...)` loads the definition anew, with
    fields that differ from the usual ones (None takes a field away).
    """

    def __init__(self, path: Path, name: str = "birds") -> None:
        self.path, self.name = path, name
        path.mkdir(parents=True, exist_ok=True)

    def rows(self, rows: list[dict[str, Any]]) -> TaskFolder:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (self.path / "test.jsonl").write_text(text, encoding="utf-8")
        return self

    def picture(self, name: str, number: int, edge: int = 4) -> str:
        (self.path / name).write_bytes(png(number, edge))
        return name

    def task(self, **changes: Any) -> TaskDef:
        usual = {
            "task": self.name,
            "dataset_path": ".",
            "doc_to_id": "id",
            "doc_to_text": "{{ question }}",
            "doc_to_target": "answer",
            "judge": "exact",
            "generation_kwargs": {"max_tokens": 8, "temperature": 0},
        }
        fields = {name: value for name, value in (usual | changes).items() if value is not None}
        file = self.path / f"{self.name}.yaml"
        file.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
        return load_task(file)


@pytest.fixture
def folder(tmp_path: Path) -> TaskFolder:
    """An empty task folder."""
    return TaskFolder(tmp_path / "birds")


@dataclass
class Reply:
    """What the endpoint says to one request: a completion with `text`, or any status and body."""

    text: str | None = "yes"
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    finish_reason: str = "stop"
    message: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    )
    fields: dict[str, Any] = field(default_factory=dict)  # further ones of the body: model, system_fingerprint
    hang_up: bool = False


@dataclass
class Seen:
    """A request as it arrived. at: seconds of `time.monotonic`."""

    body: dict[str, Any]
    headers: dict[str, str]
    at: float

    @property
    def text(self) -> str:
        content = self.body["messages"][-1]["content"]
        return content if isinstance(content, str) else "".join(p.get("text", "") for p in content)

    @property
    def pictures(self) -> list[str]:
        content = self.body["messages"][-1]["content"]
        return [] if isinstance(content, str) else [p["image_url"]["url"] for p in content if "image_url" in p]


class Endpoint:
    """An OpenAI-compatible endpoint on a port of this host, in a thread of its own.

    answer: request, number of the request (from 0) -> Reply; it may be exchanged at any time.
    seen: the requests in the order they arrived; most: how many were open at one time.
    models: what it lists; None: it does not.
    """

    def __init__(self) -> None:
        self.answer: Callable[[Seen, int], Reply] = lambda request, number: Reply()
        self.seen: list[Seen] = []
        self.models: list[str] | None = None
        self.listed = 0  # how often
        self.most = self._open = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def args(self, **more: Any) -> dict[str, Any]:
        """Model arguments that lead here."""
        return {"base_url": self.url, "timeout": 10, **more}

    def close(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _start(self) -> None:
        from aiohttp import web

        app = web.Application(client_max_size=2**30)
        app.router.add_post("/v1/chat/completions", self._handle)
        app.router.add_get("/v1/models", self._list)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def _list(self, request: Any) -> Any:
        from aiohttp import web

        self.listed += 1
        if self.models is None:
            return web.json_response({"error": {"message": "no such page"}}, status=404)
        return web.json_response({"object": "list", "data": [{"id": name} for name in self.models]})

    async def _handle(self, request: Any) -> Any:
        from aiohttp import web

        self._open += 1
        self.most = max(self.most, self._open)
        try:
            seen = Seen(json.loads(await request.read()), dict(request.headers), time.monotonic())
            self.seen.append(seen)
            reply = self.answer(seen, len(self.seen) - 1)
            await asyncio.sleep(reply.delay)
            if reply.hang_up:
                request.transport.abort()
            body = reply.body if reply.body is not None else _completion(reply)
            return web.Response(status=reply.status, body=body, headers=reply.headers, content_type="application/json")
        finally:
            self._open -= 1


def _completion(reply: Reply) -> bytes:
    if reply.status != 200:
        return json.dumps({"error": {"message": reply.text, "code": None}}).encode()
    message = {"role": "assistant", "content": reply.text, **reply.message}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    body = {"id": "x", "object": "chat.completion", "choices": [choice], "usage": reply.usage, **reply.fields}
    return json.dumps(body).encode()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    served = Endpoint()
    yield served
    served.close()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 server in a thread of this process with an empty bucket; a URI below it."""
    server = pytest.importorskip("moto.server", reason="needs moto: pip install 'eval-assets[dev]'")
    import boto3

    served = server.ThreadedMotoServer(port=0)
    served.start()
    host, port = served.get_host_and_port()
    url = f"http://{host}:{port}"
    settings = {
        "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": url, "AWS_ENDPOINT": url, "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="evals")
    yield "s3://evals/home"
    served.stop()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny vision-language model that has not been trained."""
    from examples.digits.train import train

    return Path(train(tmp_path_factory.mktemp("model"), steps=0)[0])
