"""What a cell shows of its videos: the task's policy, with what is known of the model that looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from eval_assets.pipeline.questions import media_policy
from resources.media import MediaPolicy
from resources.models import ModelUnusable
from resources.models.checkpoint import Checkpoint
from resources.models.picture_tokens import PictureTokens, picture_tokens
from task_defs import TaskDef


def shown(
    checkpoint: Checkpoint, task: TaskDef, frames: int | None, gen: Mapping[str, Any], *, blind: bool
) -> MediaPolicy:
    """What is done to the task's media before this model sees them.

    frames: another number of them than the task's; gen: generation parameters beside the task's. Raises ModelUnusable.
    """
    media = media_policy(task)
    if frames is not None:
        # As many as named, by the task's own rule where that is not a plain number of them.
        rule = {"max_frames": frames} if "max_frames" in media.frames else {"num_frames": frames}
        media = replace(media, frames={**media.frames, **rule})
    if not ("max_tokens" in media.frames or media.too_long) or blind or checkpoint.model == "recorded":
        return media
    tokens = cost_of_pictures(checkpoint)
    if isinstance(tokens, str):
        if "max_tokens" not in media.frames:
            return media
        raise ModelUnusable(
            f"{checkpoint.key} on {task.task}: what a picture costs this model is not known ({tokens}), and the task's "
            "max_tokens needs it: give image_tokens=N in --model-args or models.yaml, or use max_frames"
        )
    answer = {**task.generation_kwargs.to_dict(), **gen}.get("max_tokens") or 0
    return replace(media, tokens=tokens, answer_tokens=answer)


def cost_of_pictures(checkpoint: Checkpoint) -> PictureTokens | str:
    """What pictures cost this checkpoint, or why that is not known. Raises ModelUnusable."""
    source = checkpoint.source if checkpoint.has_weights else ""
    return picture_tokens(source, checkpoint.model_args, checkpoint.fingerprint or "")


def why_unchecked(checkpoint: Checkpoint, media: MediaPolicy) -> str:
    """Why it is not looked at whether the frames fit, where the task asks for it (`too_long`); "": it is."""
    if not media.too_long or (media.tokens and media.tokens.context):
        return ""
    why = "its context is not known" if media.tokens else cost_of_pictures(checkpoint)
    return (
        f"whether its frames fit is not checked ({why}): give image_tokens=N,context_tokens=N in --model-args or "
        "models.yaml"
    )
