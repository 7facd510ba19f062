"""The judge model that lmms-eval's functions ask: a door on this machine, behind which is whom the user says.

Many families of tasks call an OpenAI-compatible API inside `process_results`. They are told that it is here. Without
somebody behind it nobody is asked, and the item is unscored with that reason, whatever the function made of it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

OFF = (
    "judge not configured: this task asks a judge model, name one in evals.yaml: "
    "judge_models: {lmms_eval: {model: openai, source: gpt-5-mini, preset: openai}}"
)
_LARGEST = 64 * 2**20  # bytes of a request: pictures in it are base64


class QuestionFailed(RuntimeError):
    """A question has no answer; the message is why the item is unscored."""


class Behind(Protocol):
    """Who answers: `eval_assets.pipeline.judge_door.JudgeDoor`."""

    def answer(self, body: Mapping[str, Any]) -> str:
        """A chat completion, as JSON text, to the body of a request for one. Raises QuestionFailed."""


class Endpoint:
    """An HTTP server on this machine, started when the first process needs it.

    behind: who answers, of all of them; None: nobody. faults: why questions since the last `take_faults` had no answer.
    """

    behind: Behind | None = None

    def __init__(self) -> None:
        self._server: ThreadingHTTPServer | None = None
        self._faults: list[str] = []

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

    def answer(self, body: Mapping[str, Any]) -> tuple[int, str]:
        """HTTP status and JSON for one question."""
        if self.behind is None:
            return self._fault(OFF)
        try:
            return 200, self.behind.answer(body)
        except QuestionFailed as error:
            return self._fault(str(error))

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
