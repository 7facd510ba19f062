"""What the client says and how it reads the answers: the same for both kinds of client."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from tenacity import RetryCallState, retry_base, wait_random_exponential

ENDED = ("completed", "failed", "cancelled")
# Nothing is submitted twice: a job's id is a hash of the request, an upload goes on from its offset.
_PASSING = (429, 502, 503, 504)
_KINDS = (".safetensors", ".json", ".jinja", ".txt", ".model", ".tiktoken")
_TRAINERS_OWN = ("trainer_state.json",)


class EvalServiceError(RuntimeError):
    """The service said no; the message is its own. status: of the answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class JobTimeout(TimeoutError):
    """The job had not ended in time; it goes on."""


def evaluation(
    model: str | None, tasks: Sequence[str] | str, model_args: Mapping[str, Any] | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of POST /evaluate."""
    names = [tasks] if isinstance(tasks, str) else list(tasks)
    args = {k: str(v) if isinstance(v, Path) else v for k, v in (model_args or {}).items()}
    given = {"model": model, "tasks": names, "model_args": args, **options}
    return {k: v for k, v in given.items() if v is not None and v != {}}


def headers(token: str | None) -> dict[str, str]:
    """token: default: EVAL_SERVICE_TOKEN."""
    token = token or os.environ.get("EVAL_SERVICE_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def answer(response: httpx.Response) -> Any:
    """The JSON of an answer. Raises EvalServiceError."""
    if response.is_success:
        return response.json()
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"HTTP {response.status_code}: {response.text[:200]}"
    raise EvalServiceError(response.status_code, detail)


class Passing(retry_base):
    """Whether a failure may pass: the connection, an overload, a restart."""

    def __call__(self, state: RetryCallState) -> bool:
        assert state.outcome is not None
        error = state.outcome.exception()
        if isinstance(error, EvalServiceError):
            return error.status in _PASSING
        return isinstance(error, httpx.TransportError)


WAIT = wait_random_exponential(multiplier=0.5, max=15)


def events_of(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The jobs in a stream of server-sent events."""
    for line in lines:
        if line.startswith("data:"):
            yield json.loads(line.removeprefix("data:"))


def manifest(folder: Path) -> list[dict[str, Any]]:
    """A checkpoint folder's files with their hashes. Raises ValueError where there is nothing to send."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in _KINDS and p.name not in _TRAINERS_OWN)
    files = [p for p in files if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    if not any(p.suffix == ".safetensors" for p in files):
        raise ValueError(f"{folder} holds no .safetensors: save the checkpoint with save_pretrained")
    found = []
    for path in files:
        with path.open("rb") as handle:
            sha = hashlib.file_digest(handle, "sha256").hexdigest()
        found.append({"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": sha})
    return found


def pieces(path: Path, offset: int) -> Iterator[bytes]:
    """A file's bytes from an offset on."""
    with path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(2**20):
            yield piece


def key_of(folder: Path) -> str:
    """`<run>.<step>` of a checkpoint folder, as the server would call it."""
    number = "".join(c if c.isdigit() else " " for c in folder.name).split()
    return f"{folder.parent.name or 'run'}.{int(number[-1]) if number else folder.name}"
