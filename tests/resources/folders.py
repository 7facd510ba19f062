"""Model folders that are only files, and what a real one answers."""

from __future__ import annotations

import asyncio
import json
import struct
from pathlib import Path
from typing import Any

from resources.models.base import Instance, Media, Response
from tests.conftest import png


def write_model(folder: Path, data: bytes) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(tensors(data))
    return folder


def tensors(data: bytes) -> bytes:
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def ask(path: Path | str, method: str, **options: Any) -> list[Response]:
    from resources.models.transformers import TransformersModel

    requests = [
        Instance(
            prompt="Which digit is on the left?", media_list=[Media(png(n, 48), "image/png", str(n))], id=str(n),
            continuations=("3", "7", "yes"), gen_kwargs={"max_tokens": 3},
        )
        for n in (5, 5000, 500000)
    ]  # fmt: skip

    async def run() -> list[Response]:
        async with TransformersModel(str(path), device="cpu", dtype="float32", **options) as model:
            return [response async for response in getattr(model, method)(requests)]

    return sorted(asyncio.run(run()), key=lambda response: response.id)


def values(path: Path | str, **options: Any) -> list[float]:
    responses = ask(path, "loglikelihood", **options)
    assert not [r.error for r in responses if r.error]
    return [value for r in responses for value in r.loglikelihoods or ()]
