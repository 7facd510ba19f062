"""Whether a question fits into a model's context, by an estimate made before anything is sent."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from resources.media import MediaPolicy
from resources.models.base import Media
from resources.sampling import evenly

# Tokens that a chat template puts around a message, about.
TURN_TOKENS = 8

Groups = Sequence[tuple[Media, ...]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """groups: what is sent for each medium. note: what was left out and why, as data; None: nothing was.

    too_long: why nothing can be sent; "": it can.
    """

    groups: Groups
    note: dict[str, Any] | None = None
    too_long: str = ""


def fitted(texts: Sequence[str], groups: Groups, policy: MediaPolicy) -> Fitted:
    """The question with as many frames as the model's context holds, by `policy.too_long`.

    texts: of each message. Of frames that are too many, `resample` keeps some evenly, `window` those about their
    middle, and `refuse` none. Where the model's context or its tokens of a picture are unknown, nothing is checked.
    """
    tokens = policy.tokens
    if not policy.too_long or tokens is None or tokens.context is None:
        return Fitted(groups)
    media = [medium for group in groups for medium in group]
    each = [((size := _size(medium)) and tokens.of(size)) or 0 for medium in media]
    if policy.timestamps:
        told = tokens.text("<1234.5s>")
        each = [n + told * (medium.seconds is not None) for n, medium in zip(each, media, strict=True)]
    words = sum(tokens.text(text) + TURN_TOKENS for text in texts)
    limit, needed = tokens.context - policy.answer_tokens, words + sum(each)
    if needed <= limit:
        return Fitted(groups)
    frames = [n for n, medium in enumerate(media) if medium.seconds is not None]
    largest = max((each[n] for n in frames), default=0)
    left = limit - (needed - sum(each[n] for n in frames))
    most = left // largest if largest else 0
    if policy.too_long == "refuse" or most < 1:
        return Fitted(
            groups,
            too_long=f"about {needed} tokens with {len(frames)} frames, and the model has {limit} of its "
            f"{tokens.context} for them beside the answer",
        )
    kept = set(evenly(frames, most) if policy.too_long == "resample" else _middle(frames, most))
    gone = set(frames) - kept
    note = {"by": policy.too_long, "tokens": needed, "limit": limit, "frames": len(kept), "of": len(frames)}
    numbered = iter(range(len(media)))
    return Fitted([tuple(m for m in group if next(numbered) not in gone) for group in groups], note)


def _middle(frames: Sequence[int], most: int) -> Sequence[int]:
    first = (len(frames) - most) // 2
    return frames[first : first + most]


def _size(medium: Media) -> tuple[int, int] | None:
    """Width and height of a picture; None of other media, whose tokens nobody knows here."""
    if medium.kind != "image":
        return None
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(medium.data)) as opened:
            return (opened.width, opened.height)
    except (UnidentifiedImageError, OSError):
        return None  # the model's to refuse
