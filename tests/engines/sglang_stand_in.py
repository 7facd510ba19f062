"""A server that answers as SGLang's documented HTTP API does, on Transformers: for tests without a GPU.

    python sglang_stand_in.py --model-path DIR --served-model-name NAME --host H --port P [flags of SGLang]

Paths, fields and replies are those of https://docs.sglang.io (native API, sampling parameters, OpenAI
API, metrics) for one request at a time; answers are the checkpoint's own. Like SGLang it counts a
prompt's tokens that an earlier one began with as cached, reads them only up to `logprob_start_len`,
tells the ids of expanded pictures as 0, and adds the tokenizer's first token to a text. Flags that it
does not know are ignored.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from resources.models.transformers_prompts import Refused
from tests.engines.sglang_answers import Engine, Invalid

VERSION = "0.5.23"


class StandIn(Engine):
    """The engine's paths."""

    async def _in_thread(self, work: Any, request: web.Request) -> web.Response:
        body = await request.json()
        self.counters.running += 1
        try:
            return web.json_response(await asyncio.get_running_loop().run_in_executor(self.thread, work, body))
        except (Invalid, Refused, ValueError) as error:
            return _refused(request.path, str(error))
        finally:
            self.counters.running -= 1

    def application(self) -> web.Application:
        app = web.Application(client_max_size=2**30)
        for path, work in {
            "/generate": self.generate,
            "/v1/chat/completions": self.chat,
            "/tokenize": self._tokenize,
            "/v1/tokenize": self._tokenize,
            "/update_weights_from_disk": self.update,
        }.items():
            app.router.add_post(path, lambda request, work=work: self._in_thread(work, request))
        for path, told in {
            "/get_model_info": self._model_info,
            "/model_info": self._model_info,
            "/get_server_info": self._server_info,
            "/server_info": self._server_info,
            "/v1/models": self._models,
        }.items():
            app.router.add_get(path, lambda request, told=told: _reply(web.json_response(told())))
        app.router.add_get("/health", lambda request: _reply(web.Response()))
        app.router.add_get("/health_generate", lambda request: _reply(web.Response()))
        app.router.add_get("/metrics", lambda request: _reply(web.Response(text=self._metrics())))
        app.router.add_route("*", "/flush_cache", self._flush)
        return app

    async def _flush(self, request: web.Request) -> web.Response:
        self.cache.clear()
        return web.Response(text="Cache flushed.\nPlease check backend logs for more details.\n")

    def _tokenize(self, body: dict[str, Any]) -> dict[str, Any]:
        special, prompt = body.get("add_special_tokens", True), body["prompt"]
        several = isinstance(prompt, list)
        texts = prompt if several else [prompt]
        ids = [self.runner.tokenizer(text, add_special_tokens=special)["input_ids"] for text in texts]
        counts = [len(one) for one in ids]
        tokens, count = (ids, counts) if several else (ids[0], counts[0])
        return {"tokens": tokens, "count": count, "max_model_len": self.runner.max_length or -1}

    def _model_info(self) -> dict[str, Any]:
        paths = {"model_path": self.path, "tokenizer_path": self.path}
        return {**paths, "is_generation": True, "preferred_sampling_params": None, "weight_version": self.version}

    def _server_info(self) -> dict[str, Any]:
        told = {"model_path": self.path, "served_model_name": self.name, "dtype": self.dtype}
        return {**told, "max_total_num_tokens": 65536, "internal_states": [{}], "version": VERSION}

    def _models(self) -> dict[str, Any]:
        card = {"id": self.name, "object": "model", "created": 0, "owned_by": "sglang", "root": self.name}
        return {"object": "list", "data": [{**card, "max_model_len": self.runner.max_length}]}

    def _metrics(self) -> str:
        c, label = self.counters, f'{{model_name="{self.name}"}}'
        values = {
            "num_requests_total": c.requests,
            "prompt_tokens_total": c.prompt,
            "cached_tokens_total": c.cached,
            "generation_tokens_total": c.generated,
            "num_running_reqs": c.running,
            "num_queue_reqs": 0,
            "token_usage": 0.0,
            "cache_hit_rate": c.cached / c.prompt if c.prompt else 0.0,
            "time_to_first_token_seconds_sum": c.first_token,
            "time_to_first_token_seconds_count": c.requests,
        }
        return "".join(f"sglang:{name}{label} {value}\n" for name, value in values.items())


def _refused(path: str, message: str) -> web.Response:
    if path == "/update_weights_from_disk":
        return web.json_response({"success": False, "message": message, "num_paused_requests": 0}, status=400)
    if path == "/generate":
        return web.json_response({"error": {"message": message}}, status=400)
    error = {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}
    return web.json_response(error, status=400)


async def _reply(response: web.Response) -> web.Response:
    return response


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for flag, usual in {"--host": "127.0.0.1", "--dtype": "auto", "--served-model-name": None}.items():
        parser.add_argument(flag, default=usual)
    parser.add_argument("--model-path", required=True)
    parser.add_argument("--port", type=int, default=30000)
    parser.add_argument("--context-length", type=int, default=None)
    args, ignored = parser.parse_known_args()
    name = args.served_model_name or args.model_path
    server = StandIn(args.model_path, name, args.dtype, args.context_length)
    print(json.dumps({"ignored": ignored}), "The server is fired up and ready to roll!", flush=True)
    web.run_app(server.application(), host=args.host, port=args.port, print=None)


if __name__ == "__main__":
    main()
