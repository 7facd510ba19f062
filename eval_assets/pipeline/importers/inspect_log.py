"""inspect_ai's logs: `.eval`, a zip of one JSON file a sample, and `.json`, the same as one document.

Members of the zip (inspect_ai/log/_recorders/eval.py): `header.json` at the end of a run, `_journal/start.json` from
its beginning, `samples/<id>_epoch_<n>.json`, or `samples/<id>_epoch_<n>/sample.json` where samples are chunked.
Current versions pack them by zstd.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from eval_assets.pipeline.importers.archive import check_archive, read_member
from eval_assets.pipeline.importers.base import (
    Answer,
    ImportRefused,
    Log,
    Options,
    as_text,
    kept_settings,
    shape_of,
    targets,
)
from eval_assets.pipeline.importers.json_stream import stream_json

HEADER, START = "header.json", "_journal/start.json"
_SAMPLE = re.compile(r"samples/.+_epoch_\d+(/sample)?\.json")
_STOPPED = {"max_tokens": "length", "model_length": "length", "content_filter": "content_filter"}


def read(path: Path, kind: str, options: Options) -> Log:
    found = "a log of inspect_ai (.eval)" if kind == "inspect" else "a log of inspect_ai (JSON)"
    log = Log(path, "inspect", found, iter(()), ("id", "counted", "question"))
    if kind == "inspect":
        with path.open("rb") as file:
            check_archive(file, path, {})
            with ZipFile(file) as archive:
                member = archive.NameToInfo.get(HEADER) or archive.NameToInfo[START]
                header = _object(read_member(archive, member, path, options.part_bytes), path, member.filename)
        log.answers = _zipped(log, options)
    else:
        header = _header(path, options.part_bytes)
        log.answers = _written(log, options)
    with shape_of(f"the header of {path}"):
        _describe(log, header)
    return log


def _header(path: Path, limit: int) -> dict[str, Any]:
    """What a document says before its samples, which stand last."""
    header: dict[str, Any] = {}
    for key, value in stream_json(path, "samples", limit):
        if key == "samples":
            break
        header[str(key)] = value
    return header


def _describe(log: Log, header: dict[str, Any]) -> None:
    about, plan = header.get("eval"), header.get("plan")
    if not isinstance(about, dict):
        raise ImportRefused(f"{log.path}: its header has no `eval`: no log of inspect_ai")
    status = header.get("status", "started")
    if status != "success":
        log.notes.append(f"its run did not end well (status {status!r}): samples may be missing")
    if header.get("invalidated"):
        log.notes.append("its authors have marked it as invalidated")
    log.task, log.model = about.get("task"), about.get("model")
    dataset, config = about.get("dataset"), about.get("config")
    generation = {
        **(about.get("model_generate_config") or {}),
        **((plan.get("config") or {}) if isinstance(plan, dict) else {}),
    }
    log.settings = kept_settings(
        {
            "generation_kwargs": generation,
            "model_args": about.get("model_args"),
            "model_base_url": about.get("model_base_url"),
            "epochs": config.get("epochs") if isinstance(config, dict) else None,
            "dataset": {k: dataset.get(k) for k in ("name", "location")} if isinstance(dataset, dict) else None,
            "task_version": about.get("task_version"),
            "packages": about.get("packages"),
            "date": about.get("created"),
            "status": status,
        }
    )


def _zipped(log: Log, options: Options) -> Iterator[Answer]:
    with ZipFile(log.path) as archive:
        for name, member in archive.NameToInfo.items():  # of members with one name the last counts
            if _SAMPLE.fullmatch(name):
                sample = _object(read_member(archive, member, log.path, options.part_bytes), log.path, name)
                with shape_of(f"{log.path}: {name}"):
                    answer = _answer(sample, log.path, name)
                yield answer


def _written(log: Log, options: Options) -> Iterator[Answer]:
    number = 0
    for key, value in stream_json(log.path, "samples", options.part_bytes):
        if key == "samples":
            number += 1
            if not isinstance(value, dict):
                raise ImportRefused(f"{log.path}: sample {number} is no object")
            with shape_of(f"{log.path}: sample {number}"):
                answer = _answer(value, log.path, f"sample {number}")
            yield answer


def _object(data: bytes, path: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ImportRefused(f"{path}: {name} is not JSON ({error})"[:300]) from error
    if not isinstance(found, dict):
        raise ImportRefused(f"{path}: {name} is no object")
    return found


def _answer(sample: dict[str, Any], path: Path, where: str) -> Answer:
    if "id" not in sample or not isinstance(sample.get("epoch"), int):
        raise ImportRefused(f"{path}: {where} has no id and epoch: no sample of inspect_ai")
    output = sample.get("output") or {}
    choice = next(iter(output.get("choices") or []), None)
    text, reasoning, stopped = _said(choice)
    error = _error(sample, output, has_choice=choice is not None)
    usage = output.get("usage") or {}
    metadata = sample.get("metadata")
    return Answer(
        where,
        None if error else text,
        error,
        id=as_text(sample["id"]),
        question=_question(sample.get("input")),
        target=targets(sample.get("target")) if sample.get("target") != "" else None,
        fields=metadata if isinstance(metadata, dict) else {},
        sample=sample["epoch"] - 1,
        finish_reason=stopped,
        reasoning=reasoning,
        prompt_tokens=usage.get("input_tokens"),
        completion_tokens=usage.get("output_tokens"),
        served_by=output.get("model") or "",
    )


def _error(sample: dict[str, Any], output: dict[str, Any], *, has_choice: bool) -> str | None:
    """Why a sample has no answer: its error, a limit it ran into, or that nothing was generated."""
    if sample.get("error"):
        return str(sample["error"].get("message") or "an error without a message")
    if sample.get("invalidation"):
        return "the sample was marked as invalidated"
    if has_choice:
        return None
    if limit := sample.get("limit"):
        return f"the sample ran into its limit ({limit.get('type')}: {limit.get('limit')})"
    return str(output.get("error") or "nothing was generated")


def _said(choice: Any) -> tuple[str, str, str]:
    """Text, reasoning and finish reason of the first choice."""
    if not isinstance(choice, dict):
        return "", "", "stop"
    content = (choice.get("message") or {}).get("content") or ""
    stopped = _STOPPED.get(str(choice.get("stop_reason")), "stop")
    if isinstance(content, str):
        return content, "", stopped
    parts = [part for part in content if isinstance(part, dict)]
    text = "\n".join(str(p.get("text") or "") for p in parts if p.get("type") == "text")
    reasoning = "\n".join(str(p.get("reasoning") or "") for p in parts if p.get("type") == "reasoning")
    return text, reasoning, stopped


def _question(given: Any) -> str | None:
    """The input, or of a conversation the last message of the user, without its media."""
    if isinstance(given, str):
        return given or None
    users = [m for m in given or [] if isinstance(m, dict) and m.get("role") == "user"]
    if not users:
        return None
    content = users[-1].get("content")
    if isinstance(content, str):
        return content or None
    texts = [str(p.get("text") or "") for p in content or [] if isinstance(p, dict) and p.get("type") == "text"]
    return "\n".join(texts) or None
