"""Hand points to one tracker."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from eval_assets.trackers.points import Point
from eval_assets.trackers.settings import MLflow, TensorBoard, Wandb

_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_SECRET = re.compile(r"(KEY|TOKEN|PASSWORD|SECRET)(_ID)?$")


class TrackerFailed(RuntimeError):
    """A tracker did not take the scores; the message names it and says what to do, without any key."""


def push(settings: Wandb | MLflow | TensorBoard, points: Sequence[Point]) -> str:
    """Hand over points of one series, all with a step or all without; returns where they can be seen.

    Returns when the tracker has them (W&B offline: they are on disk when this process ends). Raises TrackerFailed.
    """
    points = sorted(points, key=lambda p: p.step or 0)
    try:
        return without_secrets(_library(settings)(settings, points))
    except ModuleNotFoundError as error:
        raise TrackerFailed(
            f"{settings.kind}: {error.name} is not installed: pip install 'eval-assets[{settings.kind}]'"
        ) from None
    except TrackerFailed as error:
        raise TrackerFailed(f"{settings.kind}: {without_secrets(str(error))}") from None
    except Exception as error:
        # Whatever a library raises: the other trackers must still be told. Without the cause, which may name a key.
        said = without_secrets(f"{type(error).__name__}: {error}")
        raise TrackerFailed(f"{settings.kind}: {said}; `evals push` repeats it") from None


def _library(settings: Any) -> Callable[[Any, Sequence[Point]], str]:
    if isinstance(settings, Wandb):
        from eval_assets.trackers.to_wandb import push_wandb

        return push_wandb
    if isinstance(settings, MLflow):
        from eval_assets.trackers.to_mlflow import push_mlflow

        return push_mlflow
    from eval_assets.trackers.to_tensorboard import push_tensorboard

    return push_tensorboard


def without_secrets(text: str) -> str:
    """The text without users and passwords of addresses, and without the keys that the environment holds."""
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= 6:
            text = text.replace(value, "***")
    return _USERINFO.sub("***", text)
