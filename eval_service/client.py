"""Clients of the service: one that blocks, one for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from tenacity import AsyncRetrying, Retrying, stop_after_delay

from eval_service.protocol import (
    ENDED,
    WAIT,
    EvalServiceError,
    JobTimeout,
    Passing,
    answer,
    evaluation,
    events_of,
    headers,
    key_of,
    manifest,
    pieces,
)  # fmt: skip

__all__ = ["AsyncEvalClient", "EvalClient", "EvalServiceError", "JobTimeout"]


class EvalClient:
    """Submits evaluations and reads their results.

        client = EvalClient("http://eval-server:8000")
        job = client.evaluate(model="vllm", tasks=["mmmu_val"], model_args={"pretrained": "Qwen/Qwen2.5-VL-7B"})
        result = client.wait_for_job(job["job_id"])

    token:    bearer token (default: EVAL_SERVICE_TOKEN).
    timeout:  seconds for one request. patience: seconds for which a request is repeated while the service
              restarts or is overloaded; what was submitted is never submitted twice.
    Every method raises EvalServiceError with the service's own words.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", *, token: str | None = None, timeout: float = 30,
        patience: float = 120, transport: httpx.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        self._http = httpx.Client(base_url=url, headers=headers(token), timeout=timeout, transport=transport)
        self._patience = patience

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> EvalClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def evaluate(
        self, model: str | None = None, tasks: Sequence[str] | str = (), model_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Submit and return at once: the job, with its `job_id`.

        model: a backend or an entry of the server's models.yaml. model_args: `pretrained`: a folder that the server
        sees, a hub id, an `s3://` path, or the `source` of `upload`. options: checkpoint, run, step, limit,
        repeats, gen_kwargs, priority.
        """
        return dict(self._call("POST", "/evaluate", json=evaluation(model, tasks, model_args, options)))

    def evaluate_checkpoint(
        self, path: str | Path, suite: str | Sequence[str], *, model: str = "transformers", upload: bool = False,
        **options: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Submit a checkpoint folder. upload: send its files, where the server does not see the folder."""
        folder = Path(path).absolute()
        if upload:
            source, options = self.upload(folder), {"checkpoint": key_of(folder), **options}
        else:
            source = str(folder)
        model_args = {"pretrained": source, **options.pop("model_args", {})}
        return self.evaluate(model, suite, model_args, **options)

    def upload(self, folder: str | Path) -> str:
        """Send a checkpoint folder and return what `pretrained` takes. What is there already is not sent again."""
        folder = Path(folder)
        files = manifest(folder)
        state = self._call("POST", "/uploads", json={"files": files})
        for name in state["missing"]:
            self._send(state["upload_id"], folder, name)
        if not state["complete"]:
            state = self._call("POST", f"/uploads/{state['upload_id']}/complete", timeout=3600)
        return str(state["source"])

    def _send(self, upload_id: str, folder: Path, name: str) -> None:
        for attempt in self._attempts():
            with attempt:
                offset = self._call("GET", f"/uploads/{upload_id}")["missing"].get(name)
                if offset is not None:
                    path, rest = f"/uploads/{upload_id}/{quote(name)}", pieces(folder / name, offset)
                    answer(self._http.put(path, params={"offset": offset}, content=rest))

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as it stands: state, progress and metrics of its cells."""
        return dict(self._call("GET", f"/jobs/{job_id}"))

    def wait_for_job(self, job_id: str, timeout: float | None = None, poll: float = 2.0) -> dict[str, Any]:
        """The job when it has ended, its metrics in `cells`. Raises JobTimeout after `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while (job := self.job(job_id))["state"] not in ENDED:
            if end is not None and time.monotonic() + poll > end:
                raise JobTimeout(f"job {job_id} is {job['state']} after {timeout:g} s; it goes on")
            time.sleep(poll)
        return job

    def events(self, job_id: str) -> Iterator[dict[str, Any]]:
        """The job whenever it has changed, until it has ended."""
        with self._http.stream("GET", f"/jobs/{job_id}/events", timeout=None) as response:
            if not response.is_success:
                response.read()
                answer(response)
            yield from events_of(response.iter_lines())

    def cancel(self, job_id: str) -> dict[str, Any]:
        return dict(self._call("DELETE", f"/jobs/{job_id}"))

    def queue(self) -> dict[str, Any]:
        return dict(self._call("GET", "/queue"))

    def tasks(self) -> list[dict[str, Any]]:
        return list(self._call("GET", "/tasks"))

    def models(self) -> dict[str, Any]:
        return dict(self._call("GET", "/models"))

    def results(self, checkpoint: str, task: str, variant: str = "") -> dict[str, Any]:
        """A cell's report."""
        return dict(self._call("GET", f"/results/{quote(checkpoint)}/{quote(task)}", params={"variant": variant}))

    def compare(self, a: str, b: str, tasks: Sequence[str] = (), margin: float | None = None) -> list[dict[str, Any]]:
        """a minus b, item by item."""
        given = {"a": a, "b": b, "tasks": list(tasks), "margin": margin}
        return list(self._call("GET", "/compare", params={k: v for k, v in given.items() if v not in (None, [])}))

    def _attempts(self) -> Retrying:
        return Retrying(retry=Passing(), wait=WAIT, stop=stop_after_delay(self._patience), reraise=True)

    def _call(self, method: str, path: str, **request: Any) -> Any:
        for attempt in self._attempts():
            with attempt:
                return answer(self._http.request(method, path, **request))
        raise AssertionError("the last attempt raises")


class AsyncEvalClient:
    """`EvalClient` for asyncio: `evaluate`, `job`, `wait_for_job`, `events` and `cancel` as there."""

    def __init__(
        self, url: str = "http://127.0.0.1:8000", *, token: str | None = None, timeout: float = 30,
        patience: float = 120, transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:  # fmt: skip
        self._http = httpx.AsyncClient(base_url=url, headers=headers(token), timeout=timeout, transport=transport)
        self._patience = patience

    async def __aenter__(self) -> AsyncEvalClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def evaluate(
        self, model: str | None = None, tasks: Sequence[str] | str = (), model_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> dict[str, Any]:  # fmt: skip
        return dict(await self._call("POST", "/evaluate", json=evaluation(model, tasks, model_args, options)))

    async def job(self, job_id: str) -> dict[str, Any]:
        return dict(await self._call("GET", f"/jobs/{job_id}"))

    async def wait_for_job(
        self,
        job_id: str,
        timeout: float | None = None,  # noqa: ASYNC109  # as in the other client
        poll: float = 2.0,
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(timeout):
                while (job := await self.job(job_id))["state"] not in ENDED:  # noqa: ASYNC110  # it is elsewhere
                    await asyncio.sleep(poll)
                return job
        except TimeoutError as error:
            raise JobTimeout(f"job {job_id} had not ended after {timeout:g} s; it goes on") from error

    async def events(self, job_id: str) -> AsyncIterator[dict[str, Any]]:
        async with self._http.stream("GET", f"/jobs/{job_id}/events", timeout=None) as response:
            if not response.is_success:
                await response.aread()
                answer(response)
            async for line in response.aiter_lines():
                for job in events_of([line]):
                    yield job

    async def cancel(self, job_id: str) -> dict[str, Any]:
        return dict(await self._call("DELETE", f"/jobs/{job_id}"))

    async def _call(self, method: str, path: str, **request: Any) -> Any:
        attempts = AsyncRetrying(retry=Passing(), wait=WAIT, stop=stop_after_delay(self._patience), reraise=True)
        async for attempt in attempts:
            with attempt:
                return answer(await self._http.request(method, path, **request))
        raise AssertionError("the last attempt raises")
