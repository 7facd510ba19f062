"""A tiny engine: starts in a moment, has a worker process as real ones do, and answers chat completions.

    python stand_in.py serve MODEL [--start-seconds S] [--die-after N] [--fail TEXT] ... --host H --port P

It stands in for vLLM where what is tested is starting, sharing and ending, and not the answers: each is the
model's folder name and the question. Flags that it does not know are ignored, as its caller is vLLM's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def work() -> None:
    """The part of an engine that holds the GPU and takes no notice of signals sent to its parent."""
    while True:
        time.sleep(1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answered = 0
    asked = 0  # requests under way
    stale = False  # caches hold something of other weights
    lock = threading.Lock()
    options: argparse.Namespace

    def do_GET(self) -> None:
        told = f"vllm:prompt_tokens_total {10 * Handler.answered}\nvllm:kv_cache_usage_perc {Handler.asked / 64}\n"
        self._reply(200, told.encode() if self.path == "/metrics" else b"{}")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith("/chat/completions"):
            self._change(asked)
            return
        with Handler.lock:
            Handler.asked += 1
        time.sleep(self.options.answer_seconds)
        self._answer(asked)
        with Handler.lock:
            Handler.asked -= 1

    def _answer(self, asked: dict) -> None:
        with Handler.lock:
            Handler.answered += 1
            paused = 0 < self.options.pause_after < Handler.answered
            if self.options.die_after and Handler.answered > self.options.die_after:
                os._exit(9)
        while paused and not self.options.until.exists():
            time.sleep(0.02)
        content = asked["messages"][-1]["content"]
        if not isinstance(content, str):  # which medium was asked about, for those who look where it went
            urls = [p["image_url"]["url"] for p in content if p["type"] == "image_url"]
            shas = " ".join(hashlib.sha256(url.encode()).hexdigest()[:12] for url in urls)
            os.write(1, f"asked {shas}\n".encode())  # at once: lines of several threads do not mix
        text = content if isinstance(content, str) else next(p["text"] for p in content if p["type"] == "text")
        name = "stale" if Handler.stale else Path(self.options.model).name
        message = {"role": "assistant", "content": f"{name}: {text}"}
        usage = {"prompt_tokens": 10, "completion_tokens": 2}
        reply = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        self._reply(200, json.dumps(reply).encode())

    def _change(self, asked: dict) -> None:
        """As vLLM's development mode has it: other weights, and caches that are dropped on request."""
        if self.path == "/collective_rpc":
            if self.options.refuse_swap:
                self._reply(500, b"{}")
                return
            self.options.model = asked["kwargs"]["weights_path"]
            Handler.stale = True
        elif self.path == "/reset_prefix_cache":
            Handler.stale = False
        self._reply(200, b'{"success": true}')

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb")
    parser.add_argument("model")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    parser.add_argument("--start-seconds", type=float, default=0.0)
    parser.add_argument("--answer-seconds", type=float, default=0.0)
    parser.add_argument("--pause-after", type=int, default=0)  # so many answers; the rest once the file is there:
    parser.add_argument("--until", type=Path)
    parser.add_argument("--die-after", type=int, default=0)
    parser.add_argument("--die-once", default="")
    parser.add_argument("--refuse-swap", action="store_true")
    parser.add_argument("--fail", default="")
    parser.add_argument("--port-taken-once", default="")  # a file: the second start finds its port free
    Handler.options, _ = parser.parse_known_args()
    print(f"INFO stand-in serves {Handler.options.model}", flush=True)
    if Handler.options.port_taken_once and not Path(Handler.options.port_taken_once).exists():
        Path(Handler.options.port_taken_once).touch()
        sys.exit("OSError: [Errno 98] error while attempting to bind on address: address already in use")
    if Handler.options.fail:
        sys.exit(Handler.options.fail)
    if Handler.options.die_once:  # a file: the second start of the engine lives
        marker = Path(Handler.options.die_once)
        Handler.options.die_after = 0 if marker.exists() else Handler.options.die_after
        marker.touch()
    multiprocessing.get_context("fork").Process(target=work, daemon=False).start()
    time.sleep(Handler.options.start_seconds)
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer((Handler.options.host, Handler.options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
