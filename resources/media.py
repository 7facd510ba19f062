"""Bytes as a data set holds them → what a model takes: pictures within limits, frames of a video."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, BinaryIO

from resources.models.base import Media
from resources.models.picture_tokens import PictureTokens
from resources.models.pictures import BadPicture
from resources.sampling import SCENE_RULE
from resources.video import Kept, frames_of

QUALITY = 95  # of a JPEG that we make


@dataclass(frozen=True)
class MediaPolicy:
    """What is done to media before they are sent. By default nothing: bytes go as they came.

    frames: `{"num_frames": 8}`, `{"fps": 1.0, "max_frames": 32}`, `{"keyframes": True, "max_frames": 32}` or
        `{"scenes": 0.3, "max_frames": 32}`: a video becomes pictures. `start` and `end`, in seconds, beside them:
        of this part of it. `max_tokens`: of no more frames than `tokens` says that fit.
    min_pixels, max_pixels: a picture (or frame) with fewer or more is scaled, keeping its shape.
    timestamps: a frame's time is told before it.
    too_long: `resample`, `window` or `refuse`: what is done where frames do not fit into the model's context, see
        `resources.fitting`; None: nothing is.
    tokens: what a picture costs the model that is asked, where it is known. `max_tokens` needs it.
    answer_tokens: that the model's context must have left.
    """

    frames: Mapping[str, Any] = field(default_factory=dict)
    min_pixels: int | None = None
    max_pixels: int | None = None
    timestamps: bool = False
    too_long: str | None = None
    tokens: PictureTokens | None = None
    answer_tokens: int = 0

    def within(self, window: Mapping[str, float] | None) -> MediaPolicy:
        """The same for a part of a video: `start` and `end` in seconds, or one of them."""
        return replace(self, frames={**self.frames, **window}) if window and self.frames else self

    def changes(self, kinds: Sequence[str]) -> dict[str, Any]:
        """As far as it concerns media of these kinds (`image`, `video`): part of a request's inputs."""
        framed = bool(self.frames) and "video" in kinds
        changes: dict[str, Any] = {"frames": dict(self.frames)} if framed else {}
        if framed and self.timestamps:
            changes["timestamps"] = True
        if framed and "scenes" in self.frames:
            changes["scene_rule"] = SCENE_RULE
        if framed and self.too_long:
            changes["too_long"] = self.too_long
        if framed and self.tokens and ("max_tokens" in self.frames or self.too_long):
            changes["tokens"] = [self.tokens.name, self.tokens.context if self.too_long else None]
        if (framed or "image" in kinds) and (self.min_pixels or self.max_pixels):
            changes["pixels"] = [self.min_pixels, self.max_pixels]
        return changes

    def applies(self, kind: str) -> bool:
        """Whether media of a kind are changed by it."""
        return bool(self.changes([kind]))

    def samples(self, kind: str) -> bool:
        """Whether a medium of this kind becomes several pictures."""
        return kind == "video" and bool(self.frames)

    def prepare(self, source: bytes | BinaryIO, mime: str, sha: str, kept: Kept | None = None) -> tuple[Media, ...]:
        """The media that are sent for one that is stored; the same bytes where nothing is to be done.

        source: its bytes, or for a video that is sampled a file that seeks. kept: frames of this video that were
        prepared by a policy that differs in `frames` alone, see `frames_of`.
        Raises BadPicture or BadVideo where it cannot be decoded.
        """
        if self.samples(mime.split("/", 1)[0]):
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            sampling = dict(self.frames)
            limit = sampling.pop("max_tokens", None)
            most = None if limit is None else partial(self._within_tokens, limit)
            return tuple(frames_of(file, sha[:12], make=self._frame, kept=kept, most=most, **sampling))
        data = source if isinstance(source, bytes) else source.read()
        if not self.applies(mime.split("/", 1)[0]):
            return (Media(data, mime, sha),)
        return (limited(Media(data, mime, sha), self.min_pixels, self.max_pixels),)

    def _within_tokens(self, limit: int, size: tuple[int, int]) -> int:
        """How many frames of a size the model reads in so many tokens."""
        assert self.tokens is not None, "max_tokens without the model's tokens of a picture"
        each = self.tokens.of(size_within(size, self.min_pixels, self.max_pixels))
        if each is None:
            raise BadPicture(f"frames of {size[0]} x {size[1]} pixels are not taken by this model")
        if each > limit:
            raise BadPicture(f"one frame of the video is {each} tokens, more than max_tokens: {limit}")
        return limit // each

    def _frame(self, picture: Any, seconds: float) -> Media:
        return replace(_medium(_encoded(self._scaled(picture), "JPEG"), "image/jpeg"), seconds=seconds)

    def _scaled(self, picture: Any) -> Any:
        from PIL import Image

        size = size_within(picture.size, self.min_pixels, self.max_pixels)
        return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def limited(media: Media, least: int | None, most: int | None) -> Media:
    """The same picture with at least `least` and at most `most` pixels; the same object if it has.

    One that must be scaled is turned as its EXIF data say and encoded anew: a JPEG as JPEG (quality
    95), others as PNG. Raises BadPicture.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(media.data)) as opened:
            size = size_within(opened.size, least, most)
            if size == opened.size:
                return media
            kind = "JPEG" if opened.format == "JPEG" else "PNG"
            picture = ImageOps.exif_transpose(opened)
            if picture.size != opened.size:  # turned by a quarter
                size = (size[1], size[0])
            scaled = _smooth(picture, kind).resize(size, Image.Resampling.LANCZOS)
            return _medium(_encoded(scaled, kind, opened.info.get("icc_profile")), f"image/{kind.lower()}")
    except Exception as error:  # broken bytes make Pillow's decoders raise almost anything
        raise BadPicture(f"picture {media.sha[:12]} ({media.mime}) cannot be decoded: {error}") from error


def size_within(size: tuple[int, int], least: int | None, most: int | None) -> tuple[int, int]:
    """(width, height) scaled so that their product lies between the limits, the shape kept.

    Rounded inwards, so that a limit holds exactly; no side is less than 1.
    """
    width, height = size
    if most and width * height > most:
        # In integers: a square root that falls short of a whole number by its rounding would take a pixel too many.
        short = max(1, math.isqrt(min(size) ** 2 * most // (width * height)))
        long = math.isqrt(max(size) ** 2 * most // (width * height))
        long = min(long, most // short)  # a side that became 1 leaves less to the other
        return (long, short) if width > height else (short, long)
    if least and width * height < least:
        scale = math.sqrt(least / (width * height))
        width, height = math.ceil(width * scale), math.ceil(height * scale)
    return width, height


def _smooth(picture: Any, kind: str) -> Any:
    """In a mode that can be interpolated: palettes and bits cannot."""
    if picture.mode in ("L", "RGB") or (kind == "JPEG" and picture.mode == "CMYK"):
        return picture
    clear = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    return picture.convert("RGBA" if clear else "RGB")


def _encoded(picture: Any, kind: str, profile: bytes | None = None) -> bytes:
    buffer = io.BytesIO()
    options = {"quality": QUALITY} if kind == "JPEG" else {}
    picture.save(buffer, kind, icc_profile=profile, **options)
    return buffer.getvalue()


def _medium(data: bytes, mime: str) -> Media:
    return Media(data, mime, hashlib.sha256(data).hexdigest())
