"""The judge model that lmms-eval's functions ask: a door on this machine with a memory, leading where the user says.

Many families of tasks call an OpenAI-compatible API inside `process_results`. They are told that it is here. What is
asked goes to EVAL_LMMS_JUDGE_URL, once: the answer is kept, and a second judging of the same answers asks nothing.
Without that setting nobody is asked, and the item is unscored with that reason, whatever the function made of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

OFF = "judge not configured: this task asks a judge model, set EVAL_LMMS_JUDGE_URL to an OpenAI-compatible endpoint"
_TRIES = 5
_SECONDS = 120.0
_LARGEST = 64 * 2**20  # bytes of a request: pictures in it are base64


class Answers(Protocol):
    """A memory of judge answers, by the hash of what was asked."""

    def get(self, key: str) -> str | None: ...
    def put(self, key: str, answer: str) -> None: ...


class _InMemory:
    """For scripts: forgotten with the process."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self._kept.get(key)

    def put(self, key: str, answer: str) -> None:
        self._kept[key] = answer


@dataclass(frozen=True)
class Upstream:
    """Where questions go. model: asked in place of the one that the function names. key_from: a variable's name."""

    url: str
    model: str | None = None
    key_from: str | None = None

    @classmethod
    def configured(cls) -> Upstream | None:
        """Of EVAL_LMMS_JUDGE_URL, EVAL_LMMS_JUDGE_MODEL and EVAL_LMMS_JUDGE_KEY_FROM; None: off."""
        url = os.environ.get("EVAL_LMMS_JUDGE_URL")
        if not url:
            return None
        names = ("EVAL_LMMS_JUDGE_MODEL", "EVAL_LMMS_JUDGE_KEY_FROM")
        return cls(url.rstrip("/"), *(os.environ.get(name) or None for name in names))

    @property
    def identity(self) -> list[str | None]:
        """What tells judges apart: where and which, not the key."""
        return [self.url, self.model]

    def ask(self, body: dict[str, Any]) -> str:
        """The answer's JSON text. Raises OSError (`HTTPError` among them) after the last try."""
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.key_from or ""):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(f"{self.url}/chat/completions", json.dumps(body).encode(), headers)  # noqa: S310
        for attempt in Retrying(
            stop=stop_after_attempt(_TRIES),
            wait=wait_random_exponential(multiplier=0.5, max=20),
            retry=retry_if_exception(_passing),
            reraise=True,
        ):
            with attempt, urllib.request.urlopen(request, timeout=_SECONDS) as reply:  # noqa: S310
                return str(reply.read().decode())
        raise AssertionError("the last try is raised again")  # pragma: no cover


def _passing(error: BaseException) -> bool:
    """Whether another try may help."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code == 429 or error.code >= 500
    return isinstance(error, OSError)


class Endpoint:
    """An HTTP server on this machine, started when the first process needs it.

    answers: the memory; faults: why judge questions since the last `take_faults` had no answer.
    """

    answers: Answers = _InMemory()

    def __init__(self) -> None:
        self._server: ThreadingHTTPServer | None = None
        self._faults: list[str] = []
        self.asked = self.remembered = 0

    def take_faults(self) -> list[str]:
        found, self._faults = self._faults, []
        return found

    def environment(self) -> dict[str, str]:
        """Variables that lead lmms-eval's families here: a base, or a whole address, as each of them reads it."""
        base = f"http://127.0.0.1:{self._port()}/v1"
        return {
            "API_TYPE": "openai",
            "OPENAI_API_URL": f"{base}/chat/completions",
            "OPENAI_BASE_URL": base,
            "OPENAI_API_BASE": base,
            "OPENAI_API_KEY": "local",
            "AZURE_ENDPOINT": f"{base}/chat/completions",
            "AZURE_OPENAI_ENDPOINT": base,
            "AZURE_API_KEY": "local",
            "AZURE_OPENAI_API_KEY": "local",
            "AZURE_OPENAI_API_VERSION": "2024-06-01",
        }

    def _port(self) -> int:
        if self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
            self._server.daemon_threads = True
            threading.Thread(target=self._server.serve_forever, daemon=True, name="lmms-eval-judge").start()
        return int(self._server.server_address[1])

    def answer(self, body: dict[str, Any]) -> tuple[int, str]:
        """HTTP status and JSON for one question."""
        upstream = Upstream.configured()
        if upstream is None:
            return self._fault(OFF)
        if body.get("stream"):
            return self._fault("judge error: the function asks for a stream, which cannot be kept")
        body = {**body, "model": upstream.model} if upstream.model else body
        key = hashlib.sha256(json.dumps([upstream.identity, body], sort_keys=True).encode()).hexdigest()
        kept = self.answers.get(key)
        if kept is not None:
            self.remembered += 1
            return 200, kept
        try:
            self.asked += 1
            text = upstream.ask(body)
            json.loads(text)
        except (OSError, ValueError) as error:
            return self._fault(f"judge error: {upstream.url}: {type(error).__name__}: {error}")
        self.answers.put(key, text)
        return 200, text

    def _fault(self, reason: str) -> tuple[int, str]:
        self._faults.append(reason)
        return 400, json.dumps({"error": {"message": reason, "type": "invalid_request_error"}})


def _handler_of(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            if "/chat/completions" not in self.path or not 0 < size <= _LARGEST:
                status, text = endpoint._fault(f"judge error: {self.path} is no question that can be passed on")
            else:
                try:
                    status, text = endpoint.answer(json.loads(self.rfile.read(size)))
                except ValueError as error:
                    status, text = endpoint._fault(f"judge error: not JSON: {error}")
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent: a request's line is of no use, and headers are nobody's business."""

    return Handler
