"""Tiny checkpoints for tests: `digits_checkpoint` (untrained, a second) and `train_digits` to make others."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # examples are no installed package
    sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="session")
def train_digits(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Path]]:
    """`train` of examples/digits into a folder of its own: `train_digits(steps=20)`."""
    pytest.importorskip("torch")
    from examples.digits.train import train

    return lambda **options: train(tmp_path_factory.mktemp("digits"), **options)


@pytest.fixture(scope="session")
def digits_checkpoint(train_digits: Callable[..., list[Path]]) -> Path:
    """An untrained checkpoint in Hugging Face format."""
    return train_digits(steps=0)[0]
