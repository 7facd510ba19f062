"""Untrained checkpoints for engines: the demo's architecture with pictures of 576 tokens, as LLaVA's have."""

from __future__ import annotations

from pathlib import Path

import yaml
from _common import ROOT

SIDE, PATCH = 336, 14
IMAGE_TOKENS = (SIDE // PATCH) ** 2
WORDS = ["what", "is", "in", "part", "of", "the", "picture", *map(str, range(64))]


def make_checkpoint(folder: Path, seed: int) -> Path:
    from examples.digits.model import build_model, build_processor, build_tokenizer, save

    tokenizer = build_tokenizer(WORDS)
    save(build_model(tokenizer, seed, SIDE, PATCH), build_processor(tokenizer, SIDE, PATCH), folder)
    return folder


def write_models(path: Path, python: str, **options: object) -> None:
    """models.yaml with one engine, `vllm`, as it runs on a CPU in float32."""
    engine = {
        "kind": "vllm", "python": python, "dtype": "float32", "max_model_len": 2048,
        "limit_mm_per_prompt": {"image": 4}, "extra_args": ["--enforce-eager", "--block-size", "32"],
        "env": {"VLLM_CPU_KVCACHE_SPACE": "1"},
        "start_timeout": 300, **options,
    }  # fmt: skip
    path.write_text(yaml.safe_dump({"engines": {"vllm": engine}}))


def default_python() -> str:
    return str(ROOT / ".venv-vllm" / "bin" / "python")
